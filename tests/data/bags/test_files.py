# Copyright 2026 iql_ros contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Tests for bags/files.py."""

import pytest
import yaml

from iql_ros.data.bags.files import ALLOWANCES, Allowed, find_bags, is_bag, locate
from iql_ros.files import InputError
from tests.data.bags.make_bag import twist, write_rosbag1, write_rosbag2

DRIVE = [('/cmd_vel', 100 * index, twist(0.1 * index)) for index in range(3)]
POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n'


def split_bag(path, parts=3):
    """Write a bag in parts as rosbag2 does when it splits: one metadata.yaml for all."""
    names, count = [], 0
    for part in range(parts):
        folder = write_rosbag2(path.with_name(f'part{part}'), [
            (topic, time + 1000 * part, message) for topic, time, message in DRIVE])
        content = yaml.safe_load((folder / 'metadata.yaml').read_text())
        path.mkdir(exist_ok=True)
        names.append(f'{path.name}_{part}.mcap')
        next(folder.glob('*.mcap')).rename(path / names[-1])
        count += len(DRIVE)
    information = content['rosbag2_bagfile_information']
    information['relative_file_paths'] = names
    information['topics_with_message_count'][0]['message_count'] = count
    (path / 'metadata.yaml').write_text(yaml.safe_dump(content))
    return path


def test_an_allowance_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(InputError, match="--allow 'gaps'; allowed: .*missing-parts"):
        Allowed(['gaps'])
    assert all(name in Allowed(ALLOWANCES) for name in ALLOWANCES)


def test_what_was_allowed_is_noted_once_and_what_was_not_says_how():
    allowed = Allowed(['damaged'])
    allowed.refuse('damaged', 'a page is torn')
    allowed.refuse('damaged', 'a page is torn')
    assert allowed.notes == ['a page is torn']
    with pytest.raises(InputError, match='too few \\(--allow counts: '):
        allowed.refuse('counts', 'too few')


def test_a_folder_gives_its_bags_in_order_of_name(tmp_path):
    write_rosbag2(tmp_path / 'b', DRIVE)
    write_rosbag1(tmp_path / 'c.bag', DRIVE)
    write_rosbag2(tmp_path / 'a', DRIVE, 'SQLITE3')
    (tmp_path / 'notes.txt').write_text('')
    assert [path.name for path in find_bags(tmp_path)] == ['a', 'b', 'c.bag']
    assert is_bag(tmp_path) and is_bag(tmp_path / 'c.bag')
    assert not is_bag(tmp_path / 'notes.txt')


def test_two_data_files_without_metadata_are_two_bags(tmp_path):
    for name in ('one', 'two'):
        folder = write_rosbag2(tmp_path / name, DRIVE)
        next(folder.glob('*.mcap')).rename(tmp_path / f'{name}.mcap')
        (folder / 'metadata.yaml').unlink()
        folder.rmdir()
    assert [path.name for path in find_bags(tmp_path)] == ['one.mcap', 'two.mcap']


def test_a_folder_called_like_a_bag_file_is_a_bag(tmp_path):
    bag = write_rosbag2(tmp_path / 'drive.bag', DRIVE)
    assert find_bags(bag) == [bag] and find_bags(tmp_path) == [bag]
    assert [path.suffix for path in locate(bag, Allowed()).paths] == ['.mcap']


def test_no_bag_and_no_path_are_refused(tmp_path):
    with pytest.raises(InputError, match="'.*' holds no bag, and .*bags are files named .mcap"):
        find_bags(tmp_path)
    with pytest.raises(InputError, match="bag '.*absent' does not exist"):
        find_bags(tmp_path / 'absent')
    write_rosbag2(tmp_path / 'bag', DRIVE)
    next((tmp_path / 'bag').glob('*.mcap')).unlink()
    with pytest.raises(InputError, match='has no data file'):
        locate(tmp_path / 'bag', Allowed())


def test_the_parts_of_a_split_bag_come_in_the_order_of_its_metadata(tmp_path):
    bag = split_bag(tmp_path / 'split')
    files = locate(bag, Allowed())
    assert [path.name for path in files.paths] == [f'split_{part}.mcap' for part in range(3)]
    assert files.declared == {'/cmd_vel': 9}


def test_a_missing_part_is_refused_unless_allowed(tmp_path):
    bag = split_bag(tmp_path / 'split')
    (bag / 'split_1.mcap').unlink()
    with pytest.raises(InputError, match='1 of its 3 parts are missing: split_1.mcap .--allow'):
        locate(bag, Allowed())
    allowed = Allowed(['missing-parts'])
    files = locate(bag, allowed)
    assert len(files.paths) == 2 and files.declared is None and len(allowed.notes) == 1


def test_a_data_file_renamed_after_recording_is_found(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', DRIVE)
    next(bag.glob('*.mcap')).rename(bag / 'good_run.mcap')
    assert [path.name for path in locate(bag, Allowed()).paths] == ['good_run.mcap']


def test_damaged_metadata_is_refused_on_one_line(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', DRIVE)
    for text in ('rosbag2_bagfile_information: 5', 'rosbag2_bagfile_information:\n  a: [', 'x: 1'):
        (bag / 'metadata.yaml').write_text(text)
        with pytest.raises(InputError) as error:
            locate(bag, Allowed())
        assert 'metadata.yaml' in str(error.value) and '\n' not in str(error.value)


def test_a_git_lfs_pointer_says_what_it_is(tmp_path):
    (tmp_path / 'x.mcap').write_text(POINTER)
    with pytest.raises(InputError, match='is a Git LFS pointer, .* git lfs pull'):
        locate(tmp_path / 'x.mcap', Allowed())


@pytest.mark.parametrize('name, said', [
    ('run.npz', 'NumPy'), ('run.pkl', 'a pickle, which may run code'), ('run.csv', 'a table'),
    ('run.txt', 'nothing else that is known'), ('run.h5', 'converted alone')])
def test_what_is_no_bag_is_called_by_its_name(tmp_path, name, said):
    folder = tmp_path / 'folder'
    folder.mkdir()
    (folder / name).write_bytes(b'something')
    with pytest.raises(InputError, match=f"folder' holds no bag, .*{said}.*files named .mcap"):
        find_bags(folder)
    with pytest.raises(InputError, match=f"{name}' is no bag, .*{said}"):
        find_bags(folder / name)


def test_what_is_left_out_is_counted_with_its_first_time():
    allowed = Allowed(['damaged'], 'drive')
    for seconds in (3.0, 1.5, 2.0):
        allowed.leave_out('damaged', 'a message is cut', seconds)
    allowed.count("bag 'drive': an end", 0.25)
    assert allowed.notes == [
        "bag 'drive': a message is cut: 3 times, first 1.500 s after the start of the bag",
        "bag 'drive': an end: once, 0.250 s after the start of the bag"]
    with pytest.raises(InputError, match="^bag 'drive': x, 4.000 s after .*--allow counts: read"):
        allowed.leave_out('counts', 'x', 4.0)

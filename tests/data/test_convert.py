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

"""Tests for convert.py."""

import numpy as np
import pytest

from iql_ros.data.convert import bag_dataset, convert_bags
from iql_ros.data.datasets import load_dataset
from iql_ros.data.rosbag import read_episodes
from iql_ros.files import InputError
from iql_ros.parallel import mapping
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.data.toy_bags import drive, pose, TOY, write_bag


@pytest.fixture(autouse=True)
def datasets_folder(tmp_path, monkeypatch):
    """Keep every dataset in the test's own folder."""
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'datasets'))


def test_a_bag_becomes_a_dataset_with_its_robot_and_actions_between_one_and_minus_one(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(10, [3.0, 2.0, 1.0]))
    dataset, report = convert_bags([bag], 'toy/drive-v0', TOY)
    assert dataset.observations[:, 0].tolist() == [3.0, 2.0]
    assert dataset.next_observations[:, 0].tolist() == [2.0, 1.0]
    assert np.allclose(dataset.actions[:, 0], [0.10 / 0.3, 0.11 / 0.3])
    assert dataset.truncations.tolist() == [False, True] and not dataset.terminations.any()
    assert dataset.robot_config == TOY.text and report['transitions'] == 2
    stored = load_dataset('toy/drive-v0')
    assert stored.fingerprint == dataset.fingerprint
    assert [source['file'] for source in stored.metadata['iql_ros']['sources']] == [
        'bag/bag.mcap', 'bag/metadata.yaml']


def test_conversion_gives_the_same_arrays_again(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(10, [3.0, 2.0, 1.0]))
    fingerprints = {convert_bags([bag], f'toy/drive-v{version}', TOY)[0].fingerprint
                    for version in (0, 1)}
    assert len(fingerprints) == 1


def test_a_bag_is_converted_once_and_another_one_is_not_taken_for_it(tmp_path):
    bag = write_bag(tmp_path / 'drive', drive(10, [3.0, 2.0, 1.0]))
    assert bag_dataset(bag, TOY) == bag_dataset(bag, TOY) == 'toy/drive-v0'
    (episode,), _ = read_episodes([bag], TOY)
    assert len(load_dataset('toy/drive-v0').rewards) == len(episode.rewards) == 2
    (tmp_path / 'other').mkdir()
    other = write_bag(tmp_path / 'other' / 'drive', drive(10, [3.0, 2.5, 1.0]))
    with pytest.raises(InputError, match='made from another recording'):
        bag_dataset(other, TOY)


def test_a_dataset_made_under_the_first_names_of_its_functions_is_that_of_today(tmp_path):
    bag = write_bag(tmp_path / 'drive', drive(10, [3.0, 2.0, 1.0]))
    before = parse_robot_interface(TOY.text.replace('iql_ros.tasks:', 'iql_ros.task:'), 'before')
    assert bag_dataset(bag, before) == bag_dataset(bag, TOY)
    assert load_dataset('toy/drive-v0').robot_config == before.text != TOY.text


@pytest.mark.parametrize('environment, message', [
    ('Absent-v0', "unknown environment 'Absent-v0'"),
    ('no id', "unknown environment 'no id'"),
    ('Pendulum-v1', 'has 2 observation and 2 action values; Pendulum-v1 has 3 and 1'),
])
def test_an_environment_that_is_not_the_robots_is_refused(tmp_path, environment, message):
    bag = write_bag(tmp_path / 'bag', drive(10, [3.0, 2.0, 1.0]))
    with pytest.raises(InputError, match=message):
        convert_bags([bag], 'toy/drive-v0', TOY, environment=environment)
    assert not (tmp_path / 'datasets' / 'toy').exists()


def test_a_bag_without_a_transition_leaves_nothing_behind(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(10, [3.0]) + [pose(0, 3.0)])
    with pytest.raises(InputError, match='no transition'):
        convert_bags([bag], 'toy/drive-v0', TOY)
    assert not (tmp_path / 'datasets' / 'toy').exists()


def test_bags_that_are_read_side_by_side_give_the_same_bytes(tmp_path):
    for number in range(5):
        write_bag(tmp_path / 'bags' / f'bag{number}', drive(
            10 + number, [3.0, 2.0 + 0.1 * number, 1.0]))
    one, report = convert_bags([tmp_path / 'bags'], 'toy/one-v0', TOY)
    with mapping(jobs=2) as each:
        other, other_report = convert_bags([tmp_path / 'bags'], 'toy/other-v0', TOY, each=each)
    assert other_report == report
    for name in ('observations', 'actions', 'rewards', 'terminations', 'next_observations'):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_a_bag_that_is_refused_is_refused_alike_side_by_side(tmp_path):
    for number in range(3):
        write_bag(tmp_path / 'bags' / f'bag{number}', drive(10, [3.0, 2.0, 1.0]))
    (tmp_path / 'bags' / 'bag1' / 'bag1.mcap').write_bytes(b'no bag')
    words = []
    for jobs in (1, 2):
        with pytest.raises(InputError) as error, mapping(jobs=jobs) as each:
            convert_bags([tmp_path / 'bags'], 'toy/drive-v0', TOY, each=each)
        words.append(str(error.value))
    assert words[0] == words[1] and 'bag1' in words[0]

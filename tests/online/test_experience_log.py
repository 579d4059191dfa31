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

"""Tests for experience_log.py."""

from pathlib import Path
import resource
import signal

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.online.experience_log import ExperienceLog, read_experience
from tests.small_run import experience

FACTS = {'contract': 'c' * 64, 'task': 't' * 64}


def open_log(path, facts=None, dims=(6, 2)):
    return ExperienceLog(path, facts or FACTS, *dims)


def write_log(path, steps):
    """Write steps and return where each record ends."""
    log, ends = open_log(path), []
    for step in range(steps):
        log.append(experience(step))
        ends.append(path.stat().st_size)
    log.close()
    return ends


def steps_of(log):
    return [int(step) for records in log.records() for step in records['step']]


@pytest.fixture(name='path')
def log_path(tmp_path):
    return tmp_path / 'experience.log'


def test_what_was_appended_is_read_back_to_the_bit(path):
    sent = experience(3, robot='/r1', session=2**53 - 1, weights_version=9, terminated=True,
                      intervention=True, evaluation=True, success=True)
    log = open_log(path)
    log.append(sent)
    record, = read_experience(path)
    log.close()
    for name in ('observation', 'action', 'next_observation', 'reward', 'tick_ns', 'terminated',
                 'truncated', 'intervention'):
        assert np.array_equal(record[name], getattr(sent.transition, name)), name
    for name in ('session', 'step', 'episode', 'weights_version', 'evaluation', 'success'):
        assert record[name] == getattr(sent, name), name
    assert record['robot'] == b'/r1'


@pytest.mark.parametrize('success, stored', [(None, -1), (False, 0), (True, 1)])
def test_an_outcome_that_nobody_said_is_not_a_failure(path, success, stored):
    log = open_log(path)
    assert log.append(experience(0, success=success))['success'] == stored
    log.close()


def test_a_log_cut_at_any_byte_of_its_last_two_records_reopens_with_the_whole_ones(path):
    ends = write_log(path, 5)
    whole = path.read_bytes()
    for size in range(ends[2], ends[4] + 1):
        path.write_bytes(whole[:size])
        kept = sum(end <= size for end in ends)
        log = open_log(path)
        assert steps_of(log) == list(range(kept)), size
        assert path.stat().st_size == ends[kept - 1]
        log.append(experience(kept))
        log.close()
        assert read_experience(path)['step'].tolist() == list(range(kept + 1)), size


def test_a_record_with_a_damaged_byte_is_left_out_and_counted_and_the_others_stay(path):
    ends = write_log(path, 5)
    content = bytearray(path.read_bytes())
    content[(ends[1] + ends[2]) // 2] ^= 1
    path.write_bytes(content)
    log = open_log(path)
    assert steps_of(log) == [0, 1, 3, 4] and log.damaged == 1
    log.close()
    assert path.read_bytes() == content
    assert read_experience(path)['step'].tolist() == [0, 1, 3, 4]


def test_a_log_that_another_process_writes_is_refused(path):
    log = open_log(path)
    with pytest.raises(InputError, match='another process is fine-tuning this run'):
        open_log(path)
    log.close()
    open_log(path).close()


@pytest.mark.parametrize('facts, dims, key', [
    ({**FACTS, 'contract': 'x'}, (6, 2), 'contract'), ({**FACTS, 'task': 'x'}, (6, 2), 'task'),
    (FACTS, (5, 2), 'observation_dim'), (FACTS, (6, 3), 'action_dim')])
def test_the_log_of_something_else_is_refused_by_what_differs(path, facts, dims, key):
    write_log(path, 2)
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"of something else: '{key}' is "):
        open_log(path, facts, dims)
    assert path.read_bytes() == before


@pytest.mark.parametrize('content', [b'', b'\n', b'a text\nof a user\n'])
def test_a_file_that_is_no_log_is_refused_and_stays(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match='it is no log of iql_ros'):
        open_log(path)
    with pytest.raises(InputError, match='is no experience log'):
        read_experience(path)
    assert path.read_bytes() == content


def test_a_log_that_is_written_to_can_be_read(path):
    log = open_log(path)
    assert len(read_experience(path)) == 0
    log.append(experience(0))
    assert read_experience(path)['step'].tolist() == [0]
    log.close()


def test_a_disk_without_room_takes_all_of_a_record_or_nothing(path):
    write_log(path, 2)
    size = path.stat().st_size
    log = open_log(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, limits[1]))
        with pytest.raises(OSError):
            log.append(experience(2))
        assert path.stat().st_size == size
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        log.append(experience(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert steps_of(log) == [0, 1, 2]
    log.close()


def test_a_folder_that_is_not_there_is_said_on_one_line():
    with pytest.raises(InputError, match='nowhere.log: is no experience log'):
        read_experience(Path('nowhere.log'))

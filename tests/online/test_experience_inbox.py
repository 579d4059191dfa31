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

"""Tests for experience_inbox.py."""

import pytest

from iql_ros.online.experience_inbox import ExperienceInbox
from iql_ros.online.experience_log import ExperienceLog, read_experience
from tests.small_run import experience


@pytest.fixture(name='said')
def remarks():
    return []


@pytest.fixture(name='inbox')
def empty_inbox(tmp_path, said):
    inbox = open_inbox(tmp_path, said)
    yield inbox
    inbox.close()


def open_inbox(folder, said):
    inbox = ExperienceInbox(ExperienceLog(folder / 'experience.log', {}, 6, 2), said.append)
    list(inbox.records())
    return inbox


def stored(folder):
    return [(record['robot'].decode(), int(record['session']), int(record['step']))
            for record in read_experience(folder / 'experience.log')]


def test_every_step_is_stored_once_whatever_comes_again(inbox, tmp_path):
    for step in (0, 1, 1, 0, 2, 2):
        inbox.add(experience(step))
    assert stored(tmp_path) == [('', 7, 0), ('', 7, 1), ('', 7, 2)]
    assert inbox.duplicates == 3 and inbox.steps('', 7) == 3


def test_what_comes_before_its_turn_waits_until_it_is_sent_again(inbox, tmp_path):
    for step in (0, 2, 3):
        inbox.add(experience(step))
    assert inbox.steps('', 7) == 1 and inbox.early == 2
    for step in (1, 2, 3):
        inbox.add(experience(step))
    assert [step for *_, step in stored(tmp_path)] == [0, 1, 2, 3]


def test_robots_and_sessions_are_told_apart(inbox, tmp_path):
    for robot, session in (('/r1', 1), ('/r2', 1), ('/r1', 2)):
        for step in range(2):
            inbox.add(experience(step, robot=robot, session=session))
    assert len(stored(tmp_path)) == 6 and inbox.duplicates == 0
    assert inbox.steps('/r1', 1) == inbox.steps('/r2', 1) == inbox.steps('/r1', 2) == 2
    assert inbox.steps('/r2', 2) == 0


def test_the_newest_session_of_every_robot_is_known_also_after_a_restart(inbox, tmp_path, said):
    for robot, session in (('/r1', 9), ('/r2', 5), ('/r1', 2)):
        inbox.add(experience(0, robot=robot, session=session))
    inbox.add(experience(1, robot='/r1', session=9))      # late, of the session before
    assert inbox.sessions() == {'/r1': 2, '/r2': 5}
    inbox.close()
    assert open_inbox(tmp_path, said).sessions() == {'/r1': 2, '/r2': 5}


def test_a_session_that_is_older_than_the_learner_begins_with_what_is_still_kept(inbox, said):
    assert inbox.add(experience(41, oldest_step=40)) is None
    assert inbox.add(experience(40, oldest_step=40)) is not None
    assert inbox.steps('', 7) == 41 and not said


def test_steps_that_never_come_are_named_and_counted_and_the_rest_goes_on(inbox, said):
    inbox.add(experience(0))
    assert inbox.add(experience(5, oldest_step=4)) is None
    assert inbox.add(experience(4, oldest_step=4)) is not None
    assert inbox.lost == 3 and inbox.steps('', 7) == 5
    assert said == ["robot '': steps 1 to 3 are lost: it kept no more"]


def test_an_inbox_that_is_opened_again_goes_on_where_it_was(inbox, tmp_path, said):
    for step in range(3):
        inbox.add(experience(step, robot='/r1'))
    inbox.close()
    again = open_inbox(tmp_path, said)
    assert again.steps('/r1', 7) == 3
    again.add(experience(2, robot='/r1'))
    again.add(experience(3, robot='/r1'))
    again.close()
    assert [step for *_, step in stored(tmp_path)] == [0, 1, 2, 3] and again.duplicates == 1


def test_a_disk_that_takes_nothing_changes_nothing(inbox, tmp_path, monkeypatch):
    inbox.add(experience(0))
    with monkeypatch.context() as patched:
        patched.setattr('os.pwrite', lambda *_: 3)      # as on a full disk: a part of it
        with pytest.raises(OSError, match='No space left'):
            inbox.add(experience(1))
    assert inbox.steps('', 7) == 1
    assert inbox.add(experience(1)) is not None
    assert [step for *_, step in stored(tmp_path)] == [0, 1]

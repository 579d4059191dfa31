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

"""Tests for report.py."""

import json
import re

import numpy as np
import pytest
import yaml

from iql_ros.files import InputError
from iql_ros.online.experience import Experience
from iql_ros.online.experience_log import ExperienceLog, read_experience
from iql_ros.online.report import finished_episodes, write_finetune_report
from iql_ros.robot.transitions import Transition

COLUMNS = ('step,updates,learner/weights_version,value/loss,critic/loss,actor/loss,'
           'evaluation/return_mean,evaluation/return_std,evaluation/success_rate')
JUDGED = ('0,0,0,,,,-80.0,10.0,0.25', '50,50,2,0.5,3.0,1.0,-40.0,8.0,0.75',
          '100,100,4,0.4,2.0,0.9,-60.0,9.0,0.5')


def make_run(folder, *, rows=JUDGED, steps=(), **config):
    """Write what a run directory holds; `steps` go into its log."""
    folder.mkdir(parents=True)
    (folder / 'config.yaml').write_text(yaml.safe_dump(
        {'checkpoint': 'runs/iql', 'environment': 'Docking-v0', 'evaluation_episodes': 20,
         **config}))
    (folder / 'dataset.json').write_text(json.dumps(
        {'name': 'robot/drive-v0', 'returns': [-30.0, -20.0]}))
    (folder / 'metrics.csv').write_text('\n'.join([COLUMNS, *rows]) + '\n')
    log = ExperienceLog(folder / 'experience.log', {}, 2, 1)
    for step in steps:
        log.append(step)
    log.close()
    return folder


def episode(number, *rewards, robot='', evaluation=False, helped=False, success=None):
    """Return the steps of an episode of two-value observations."""
    for index, reward in enumerate(rewards):
        last = index == len(rewards) - 1
        yield Experience(
            Transition(0, np.zeros(2), np.zeros(1), reward, np.zeros(2), terminated=last,
                       truncated=False, intervention=helped), robot, session=1,
            step=100 * number + index, oldest_step=0, episode=number, weights_version=3,
            evaluation=evaluation, success=success if last else None)


def text_of(run):
    return write_finetune_report(run).read_text()


def plain(html):
    """Return the words of a page, its tables' cells between bars."""
    return re.sub(r'\s+', ' ', re.sub(r'(<[^>]*>)+', '|', html))


def test_start_now_and_best_are_said_in_one_file_that_needs_no_network(tmp_path):
    run = make_run(tmp_path / 'a', steps=episode(0, -1.0, -1.0))
    text = text_of(run)
    assert ('At the start, success was 25%; after 100 steps of practice it is 50%. The best '
            'evaluation so far was 75%, at step 50.') in text
    for row in ('|Start|0|25%|-80.0 ± 10.0|', '|Now|100|50%|-60.0 ± 9.0|',
                '|Best|50|75%|-40.0 ± 8.0|', '|Steps on disk|2|', '|never|'):
        assert row in plain(text).replace('| |', '|')
    assert text.count('data:image/png') == 3  # the curve, the episodes, the losses
    assert 'http' not in re.sub(r'base64,[^"]*', '', text) and '<script' not in text


def test_without_success_the_return_is_judged(tmp_path):
    rows = [row.rpartition(',')[0] + ',' for row in JUDGED]
    text = text_of(make_run(tmp_path / 'a', rows=rows))
    assert 'At the start, return was -80.0; after 100 steps of practice it is -60.0.' in text


def test_a_run_with_nothing_yet_says_so(tmp_path):
    text = text_of(make_run(tmp_path / 'a', rows=()))
    assert 'Nothing has been judged yet' in text and 'No experience has arrived yet' in text
    assert 'data:image/png' not in text


def test_a_robot_that_nobody_judged_gets_no_empty_curve(tmp_path):
    rows = [','.join(row.split(',')[:6]) + ',,,' for row in JUDGED[1:]]
    text = text_of(make_run(tmp_path / 'a', rows=rows, environment=None,
                            steps=episode(0, -1.0, -2.0)))
    assert 'nobody has judged: 100 steps were learned from' in text
    assert 'The curve' not in text and text.count('data:image/png') == 2


def test_robots_and_what_a_person_did_are_told_apart(tmp_path):
    left = list(episode(0, -1.0, -1.0, -1.0, robot='/r1', helped=True))
    right = [*episode(0, -2.0, robot='/r2'), *episode(1, -2.0, robot='/r2', evaluation=True)]
    mixed = [left[0], right[0], left[1], right[1], left[2], *episode(2, -1.0, robot='/r2')]
    text = plain(text_of(make_run(tmp_path / 'a', steps=mixed))).replace('| |', '|')
    assert '|4 finished, 1 of them to judge the policy|' in text
    assert '|in 50.0% of the steps, in 1 episode|' in text
    assert '|r1|3|1|1|100.0%|' in text and '|r2|3|3|1|0.0%|' in text
    assert 'Red squares' in text and 'Hollow' in text and 'A colour for every robot' in text


def test_episodes_that_came_mixed_are_put_together(tmp_path):
    left = list(episode(0, -1.0, -1.0, -1.0, robot='/r1'))
    right = list(episode(0, -5.0, -5.0, robot='/r2', success=True))
    begun = list(episode(1, -7.0, -7.0, robot='/r2'))[:1]
    run = make_run(tmp_path / 'a', steps=[left[0], right[0], left[1], right[1], left[2], *begun])
    found = finished_episodes(read_experience(run / 'experience.log'))
    np.testing.assert_array_equal(found.returns, [-10.0, -3.0])
    np.testing.assert_array_equal(found.ends, [4, 5])
    np.testing.assert_array_equal(found.successes, [1.0, np.nan])
    assert list(found.robots) == [b'/r2', b'/r1']


def test_a_folder_that_is_no_fine_tuning_run_is_refused(tmp_path):
    with pytest.raises(InputError, match='config.yaml: cannot be read'):
        write_finetune_report(tmp_path)
    run = make_run(tmp_path / 'a')
    (run / 'experience.log').write_text('text')
    with pytest.raises(InputError, match='is no experience log'):
        write_finetune_report(run)
    assert not (run / 'report.html').exists()

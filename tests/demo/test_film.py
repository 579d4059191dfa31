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

"""Tests for film.py."""

import numpy as np
import pytest

pytest.importorskip('gymnasium')
pytest.importorskip('mujoco')

from iql_ros.demo.arm import ARM  # noqa: E402
from iql_ros.demo.evaluation import Outcome  # noqa: E402
from iql_ros.demo.film import films  # noqa: E402
from iql_ros.learner.choice import Choice  # noqa: E402
from iql_ros.runs.evaluate import EpisodeResult  # noqa: E402

DOWN = np.array([0.4, 0.3, 1.9, -0.6, -1.57, 0.0, 0.01])    # [rad, m] over the tray's side


def outcome(folder, name, successes):
    """Return an Outcome of so many short episodes, the arm on its way to one pose."""
    results = [EpisodeResult(number, number, -8.0, 8, success, not success, success)
               for number, success in enumerate(successes)]
    actions = [[DOWN + 0.1 * number] * 8 for number in range(len(successes))]
    return Outcome(name, folder / name, results, [], actions, Choice())


@pytest.fixture
def outcomes(tmp_path):
    """Give IQL's and cloning's."""
    return [outcome(tmp_path, 'iql', [True, True]), outcome(tmp_path, 'cloning', [True, False])]


def test_both_are_shown_from_the_first_start_that_tells_them_apart(outcomes, tmp_path, capsys):
    rows = films(ARM, outcomes, tmp_path)
    if not rows:
        pytest.skip(capsys.readouterr().out)
    assert [title for title, _ in rows] == ['cloning', 'iql']
    for _, pictures in rows:
        assert pictures.shape == (4, 400, 480, 3) and pictures.dtype == np.uint8
        assert np.abs(np.diff(pictures[[0, -1]].astype(int), axis=0)).mean() > 1  # it moved
    assert np.array_equal(rows[0][1], rows[1][1])    # they did the same here


def test_where_nothing_can_be_rendered_there_are_no_pictures_and_a_line(
        outcomes, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('MUJOCO_GL', 'absent')
    assert films(ARM, outcomes, tmp_path) == []
    said = capsys.readouterr().out
    assert said.startswith('no pictures of it at work: ') and said.count('\n') == 1

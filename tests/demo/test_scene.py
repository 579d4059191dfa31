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

"""Tests for scene.py, and for the scenes that there are."""

import argparse

import numpy as np
import pytest

from iql_ros.cli.subcommands import _add_demo
from iql_ros.demo.demo import SCENES
from iql_ros.pages import new_figure
from iql_ros.robot.robot_interface import load_robot_interface

pytest.importorskip('gymnasium')
pytest.importorskip('mujoco')
pytest.importorskip('matplotlib')

from iql_ros.sim.envs import control_rate, make_env  # noqa: E402


@pytest.mark.parametrize('scene', SCENES.values(), ids=SCENES)
def test_a_scene_its_yaml_and_its_environments_are_of_one_robot(scene):
    interface = load_robot_interface(scene.config)
    assert interface.robot == scene.name and interface.control_rate == scene.rate
    for env_id in filter(None, (scene.environment, scene.other)):
        env = make_env(env_id)
        assert control_rate(env) == scene.rate
        assert env.observation_space.shape == (interface.observation_dim,)


@pytest.mark.parametrize('scene', SCENES.values(), ids=SCENES)
def test_every_recording_has_a_colour(scene):
    bags = sorted(path.name for path in scene.recording.iterdir())
    assert bags and {bag.split('_')[0] for bag in bags} == set(scene.colours)


@pytest.mark.parametrize('scene', SCENES.values(), ids=SCENES)
def test_what_stands_around_the_paths_is_drawn_and_paths_lie_in_it(scene):
    _, ax = new_figure()
    scene.draw(ax)
    env = make_env(scene.environment)
    starts = np.array([env.reset(seed=seed)[0] for seed in range(50)])
    x, y = scene.where(starts).T
    assert ax.get_xlim()[0] < x.min() and x.max() < ax.get_xlim()[1]
    assert ax.get_ylim()[0] < y.min() and y.max() < ax.get_ylim()[1]


def test_the_command_line_offers_every_scene():
    parser = argparse.ArgumentParser()
    _add_demo(parser.add_subparsers())
    for name in SCENES:
        assert parser.parse_args(['demo', '--robot', name]).robot == name
    assert parser.parse_args(['demo']).robot == 'diffbot'

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

"""What policy_node's parameters say of acting and learning: choice, limits, whom to follow."""

import re

from iql_ros.files import from_mapping, InputError, parse_yaml
from iql_ros.learner.choice import Choice
from iql_ros.robot.gate_settings import check_vector, Limit
from iql_ros.robot.robot_interface import RobotInterface

_RUN = re.compile(r'[0-9a-f]{16}', re.ASCII)


def run_to_follow(settings) -> int | None:
    """
    Return the run of the learner to follow, None for the only one.

    Raises:
        InputError: for a text that is no run, or where there is no learner.

    """
    text = settings.learner_run
    if not text:
        return None
    if not settings.learner:
        raise InputError(f"parameter 'learner_run': got '{text}'; there is no learner to follow "
                         "('learner' is empty)")
    if not _RUN.fullmatch(text):
        raise InputError(f"parameter 'learner_run': got '{text}'; expected the 16 digits, 0 to 9 "
                         'and a to f, that finetune_node logs as its run')
    return int(text, 16)


def bounds(settings, interface: RobotInterface) -> tuple[float, Limit | None]:
    """
    Return scale and limit of what is explored: nothing without a learner.

    Raises:
        InputError: for a limit that does not fit the robot.

    """
    scale = settings.exploration_scale if settings.learner else 0.0
    return scale, _limit(settings.exploration_limit, interface)


def choice(settings, said: Choice) -> Choice:
    """Return how to choose: as the checkpoint said, but for what a parameter says."""
    return said.but(settings.choice, settings.samples or None,
                    settings.choice_temperature or None)


def _limit(text: str, interface: RobotInterface) -> Limit | None:
    """Return what exploration may use, within the robot's low and high."""
    if not text:
        return None
    where = "parameter 'exploration_limit'"
    limit, scaling = from_mapping(Limit, parse_yaml(text, where), where), interface.action_scaling
    for name, values in (('low', limit.low), ('high', limit.high)):
        check_vector(values, interface.action_dim, f'{where}: {name}')
    for index, (low, high) in enumerate(zip(limit.low, limit.high)):
        if not scaling.low[index] <= low <= high <= scaling.high[index]:
            raise InputError(f'{where}: [{index}]: got [{low}, {high}]; allowed: inside '
                             f'[{scaling.low[index]}, {scaling.high[index]}]')
    return limit

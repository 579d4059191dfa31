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

"""Commands that no robot hears: what a policy in shadow would send."""

import numpy as np

from iql_ros.nodes.control.commands import DirectCommands
from iql_ros.nodes.control.heard_commands import HeardCommands
from iql_ros.nodes.sentry.publishers import COMMAND_QOS
from iql_ros.robot.robot_interface import RobotInterface


class ShadowCommands(DirectCommands):
    """
    What would be sent, on ~/shadow/<topic>; nothing is published on the robot's own topics.

    No sentry is started: there is nothing that it could stop.
    """

    def __init__(self, node, interface: RobotInterface, tap, heard: HeardCommands):
        """Take the parts; see DirectCommands. `heard` is what others command."""
        super().__init__(node, interface, COMMAND_QOS, tap)
        self._heard = heard

    def _topics(self) -> list[str]:
        return [f'~/shadow/{stream.topic.lstrip("/")}' for stream in self._interface.action]

    def sent(self, command: np.ndarray) -> np.ndarray:
        """Return what the robot was really told last, where that was heard, else `command`."""
        heard = self._heard.newest()
        return np.where(np.isnan(heard), command, heard)

    def told(self, command: np.ndarray) -> np.ndarray:
        """Return what others told the robot last, NaN where nobody did."""
        return self._heard.newest()

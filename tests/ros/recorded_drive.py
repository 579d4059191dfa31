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

"""A policy node that drives by a constant and records what passes: for tests."""

import threading

import numpy as np
from rclpy.parameter import Parameter

from iql_ros.data.rosbag import read_episodes
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.robot.robot_interface import load_robot_interface


class RecordedDrive:
    """Its node, its transitions as they came, and those of its recording."""

    def __init__(self, graph, folder, text):
        self._folder, self.transitions = folder, []
        (folder / 'robot.yaml').write_text(text)
        self.node = graph.add(PolicyNode(
            threading.Event(), make_act=lambda interface: lambda observation: np.array([0.1]),
            overrides=[Parameter('robot_config', value=str(folder / 'robot.yaml')),
                       Parameter('record', value=True),
                       Parameter('record_folder', value=str(folder / 'bags'))]))
        self.node.on_transition = self.transitions.append

    def read(self):
        """End the drive; return its recording's episodes and the report of the conversion."""
        self.node.leave()
        return read_episodes([self._folder / 'bags'],
                             load_robot_interface(self._folder / 'robot.yaml'))

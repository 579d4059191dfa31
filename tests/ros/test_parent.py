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

"""Tests for end_with_parent of interrupts.py, by a node."""

import os
import subprocess
import sys

import pytest

NODE = """
import sys
from iql_ros.interrupts import end_with_parent
end_with_parent()
from rclpy.node import Node
from iql_ros.nodes.hosting import process

class Orphan(Node):
    exit_code = 0

    def __init__(self, done):
        super().__init__('orphan')

    def begin(self):
        print('begun', flush=True)

    def leave(self):
        print('left', flush=True)

sys.exit(process.run('orphan', Orphan))
"""
LAUNCH = f"""
import subprocess, sys
subprocess.Popen([sys.executable, '-c', {NODE!r}]).wait()
"""


@pytest.mark.parametrize('number', [9, 15, 1])
def test_a_node_of_a_launch_that_is_killed_ends_in_order(number):
    with subprocess.Popen([sys.executable, '-c', LAUNCH], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, 'IQL_ROS_END_WITH_PARENT': '1'}) as launch:
        assert launch.stdout.readline() == 'begun\n'
        launch.send_signal(number)
        assert launch.stdout.readline() == 'left\n'

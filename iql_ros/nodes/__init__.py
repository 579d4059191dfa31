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

"""The ROS 2 nodes: the only rooms that import rclpy; these entry points say so when it is away."""

import importlib
import os
import signal
import sys

from iql_ros.interrupts import end_with_parent
from iql_ros.nodes.hosting import output


def _run(name: str) -> int:
    # Importing takes seconds, and there is nothing to leave in order until process.run.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    end_with_parent()
    output.unblock()
    try:
        module = importlib.import_module(f'iql_ros.nodes.{name}')
    except ModuleNotFoundError as error:
        if (error.name or '').startswith('iql_ros'):
            raise
        print(f"{name}: error: module '{error.name}' is not installed; source ROS 2 Jazzy's "
              "setup.bash, or pip install 'iql_ros[wheels]'", file=sys.stderr)
        return 2
    try:
        return module.main()
    finally:  # Python's own end takes a while, and takes its handlers away first
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)


def run_finetune_node() -> int:
    """Start finetune_node from the command line."""
    return _run('finetune_node')


def run_policy_node() -> int:
    """Start policy_node from the command line."""
    return _run('policy_node')


def run_sim_node() -> int:
    """Start sim_node from the command line."""
    return _run('sim_node')


def run_train_node() -> int:
    """Start train_node from the command line."""
    return _run('train_node')

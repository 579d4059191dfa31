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

"""A process that offers the reset service, says when it is called, and never answers."""

import threading

import rclpy
from std_srvs.srv import Trigger


def run(pipe) -> None:
    """Serve until killed."""
    rclpy.init()
    node = rclpy.create_node('reset_server')

    def called(request, response):
        pipe.send('called')
        threading.Event().wait()
        return response
    node.create_service(Trigger, 'reset_world', called)
    pipe.send('ready')
    rclpy.spin(node)

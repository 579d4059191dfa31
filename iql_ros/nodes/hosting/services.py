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

"""Services that always answer."""

import traceback

from iql_ros.nodes.hosting.executor import words


class AnsweringServices:
    """
    Mixed into a Node: where a service's callback fails, the answer says so.

    rclpy sends none then, and whoever asked waits for ever. An empty response is a no in every
    service that can say no. Callbacks must be plain functions.
    """

    def create_service(self, srv_type, srv_name, callback, **rest):
        """Make a service whose callback may fail."""
        def answer(request, response):
            try:
                return callback(request, response)
            except Exception as error:
                return self._refuse(srv_type, f"service '{srv_name}' failed: {words(error)}")
        return super().create_service(srv_type, srv_name, answer, **rest)

    def _refuse(self, srv_type, text: str):
        self.get_logger().error(text, throttle_duration_sec=1.0)
        self.get_logger().debug(traceback.format_exc())
        response = srv_type.Response()
        if hasattr(response, 'message'):
            response.message = text
        return response

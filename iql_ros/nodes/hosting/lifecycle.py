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

"""A lifecycle node whose transitions say what went wrong."""

import threading
import traceback

from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from iql_ros.files import InputError


class GuardedLifecycleNode(LifecycleNode):
    """Calls _configure, _activate, _deactivate and _clean_up; `exit_code` tells of the last."""

    def __init__(self, name: str, done: threading.Event, overrides):
        """Take `done`, set when the node cannot begin; `overrides` win over the command line."""
        super().__init__(name, parameter_overrides=list(overrides))
        self._done, self.exit_code = done, 0

    def begin(self) -> None:
        """Configure and activate, with `autostart`."""
        if not self.get_parameter('autostart').value:
            return
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                self._done.set()  # the reason has been logged
                return

    def on_configure(self, state) -> TransitionCallbackReturn:
        """Load what is needed, and check that it fits."""
        return self._guarded(self._configure)

    def on_activate(self, state) -> TransitionCallbackReturn:
        """Begin to act."""
        super().on_activate(state)
        return self._guarded(self._activate)

    def on_deactivate(self, state) -> TransitionCallbackReturn:
        """Stop and be silent."""
        super().on_deactivate(state)
        return self._guarded(self._deactivate)

    def on_cleanup(self, state) -> TransitionCallbackReturn:
        """Forget what was loaded."""
        return self._guarded(self._clean_up)

    def on_shutdown(self, state) -> TransitionCallbackReturn:
        """Leave from any state."""
        self._deactivate()
        self._clean_up()
        return TransitionCallbackReturn.SUCCESS

    def _guarded(self, transition) -> TransitionCallbackReturn:
        # rclpy 7.1 swallows exceptions of transition callbacks without a word
        try:
            transition()
        except InputError as error:
            self.exit_code = 2
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.exit_code = 1
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        self.exit_code = 0
        return TransitionCallbackReturn.SUCCESS

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

"""A lifecycle node whose transitions and parameters say what went wrong."""

import threading
import traceback
import types

from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from iql_ros.files import InputError
from iql_ros.nodes.hosting.parameters import GuardedParameters, ON_CONFIGURE, refusal

_CONFIGURED = ('inactive', 'active')


class GuardedLifecycleNode(GuardedParameters, LifecycleNode):
    """
    Calls _configure, _activate, _deactivate and _clean_up; `exit_code` tells of the last.

    _configure puts self.settings() into `_settings`. For parameters that are set afterwards
    _check_change(names, settings) is called, which may refuse (InputError), and then, with
    `_settings` as they now are, _change(). Before, what is set counts on configure.
    """

    why_fixed = ON_CONFIGURE

    def __init__(self, name: str, done: threading.Event, overrides):
        """Take `done`, set when the node cannot begin; `overrides` win over the command line."""
        super().__init__(name, parameter_overrides=list(overrides))
        self._done, self.exit_code = done, 0
        self._beginning = threading.Lock()  # other transitions are served as parameters are
        self.add_on_set_parameters_callback(self._on_set)
        self.add_post_set_parameters_callback(self._on_have_set)

    def begin(self) -> None:
        """Configure and activate, with `autostart`."""
        if not self.get_parameter('autostart').value:
            return
        with self._beginning:
            for trigger in (self.trigger_configure, self.trigger_activate):
                if trigger() != TransitionCallbackReturn.SUCCESS:
                    self._done.set()  # the reason has been logged
                    return

    def may_set(self, row) -> bool:
        """Say whether a parameter may be set now: while unconfigured, what configure reads."""
        anew = self._lifecycle == 'unconfigured' and not row.fixed
        return anew or super().may_set(row)

    def set_parameters_atomically(self, parameter_list):
        """Set all of these or, with the reason, none; what comes while it begins waits."""
        with self._beginning:
            return super().set_parameters_atomically(parameter_list)

    @property
    def _lifecycle(self) -> str:
        return self._state_machine.current_state[1]

    def _changed(self, given) -> types.SimpleNamespace:
        changes = {parameter.name: parameter.value for parameter in given}
        return types.SimpleNamespace(**{**vars(self._settings), **changes})

    def _on_set(self, given) -> SetParametersResult:
        try:
            if self._lifecycle in _CONFIGURED:
                self._check_change([parameter.name for parameter in given], self._changed(given))
        except InputError as error:
            return refusal(error)
        return SetParametersResult(successful=True)

    def _on_have_set(self, given) -> None:
        if self._lifecycle in _CONFIGURED:
            self._settings = self._changed(given)
            self._change()
            self.get_logger().info('set: ' + ', '.join(
                f'{parameter.name} {parameter.value!r}' for parameter in given))

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

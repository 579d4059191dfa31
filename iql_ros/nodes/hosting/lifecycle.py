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

from iql_ros.files import InputError, shown
from iql_ros.nodes.hosting.executor import words
from iql_ros.nodes.hosting.parameters import GuardedParameters, ON_CONFIGURE, refusal
from iql_ros.nodes.hosting.ros_errors import as_input_errors

_CONFIGURED = ('inactive', 'activating', 'active', 'deactivating')
_TRANSITION_TIMEOUT = 5.0  # [s] for one that goes on while the node is to leave


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
        self._transition = threading.Lock()     # there is one at a time
        self._configuring = threading.Lock()    # parameters wait until they are read
        self._leaving = False
        self._service_change_state.callback = self._on_change_state
        self.add_on_set_parameters_callback(self._on_set)
        self.add_post_set_parameters_callback(self._on_have_set)

    def begin(self) -> None:
        """Configure and activate, with `autostart`."""
        if not self.get_parameter('autostart').value:
            return
        with self._transition:
            for trigger in (self.trigger_configure, self.trigger_activate):
                if self._done.is_set():
                    return
                if trigger() != TransitionCallbackReturn.SUCCESS:
                    self._done.set()  # the reason has been logged
                    return

    def leave(self) -> None:
        """Let a transition that goes on come to its end, and begin no other."""
        self._leaving = True
        if self._transition.acquire(timeout=_TRANSITION_TIMEOUT):
            self._transition.release()

    def trigger_configure(self) -> TransitionCallbackReturn:
        """Configure; parameters that are set meanwhile wait for it."""
        with self._configuring:
            return super().trigger_configure()

    def _on_change_state(self, request, response):
        """Serve ~/change_state, which rclpy leaves without an answer where it is not possible."""
        if not self._transition.acquire(blocking=False):
            return self._refuse_transition(response, request, 'another transition is going on')
        try:
            trigger = self._find_transition(request.transition)
            response.success = trigger() == TransitionCallbackReturn.SUCCESS
        except InputError as error:
            self._refuse_transition(response, request, str(error))
        except Exception as error:
            self._refuse_transition(response, request, f'failed: {words(error)}')
        finally:
            self._transition.release()
        return response

    def _find_transition(self, wanted):
        """Return what does a transition that is asked for by its label or else by its id."""
        if self._leaving:
            raise InputError('the node is about to end')
        labels = {number: label for number, label, *_ in self._state_machine.available_transitions}
        label = wanted.label or labels.get(wanted.id)
        triggers = {'configure': self.trigger_configure, 'cleanup': self.trigger_cleanup,
                    'activate': self.trigger_activate, 'deactivate': self.trigger_deactivate,
                    'shutdown': self.trigger_shutdown}
        if label not in labels.values() or label not in triggers:
            raise InputError(f"possible while {self._lifecycle}: {', '.join(labels.values())}")
        return triggers[label]

    def _refuse_transition(self, response, request, why: str):
        wanted = request.transition
        self.get_logger().warning(f'no transition {shown(wanted.label or wanted.id)}: {why}',
                                  throttle_duration_sec=1.0)
        response.success = False
        return response

    def may_set(self, row) -> bool:
        """Say whether a parameter may be set now: while unconfigured, what configure reads."""
        anew = self._lifecycle == 'unconfigured' and not row.fixed
        return anew or super().may_set(row)

    def set_parameters_atomically(self, parameter_list):
        """Set all of these or, with the reason, none; what comes while it configures waits."""
        with self._configuring:
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
        return self._guarded(self._shut_down)

    def _shut_down(self) -> None:
        try:
            self._deactivate()
        finally:
            self._clean_up()

    def _guarded(self, transition) -> TransitionCallbackReturn:
        # rclpy 7.1 swallows exceptions of transition callbacks without a word
        try:
            with as_input_errors():
                transition()
        except InputError as error:
            self.exit_code = 2
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except (Exception, SystemExit):  # the latter of a task's module
            self.exit_code = 1
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        self.exit_code = 0
        return TransitionCallbackReturn.SUCCESS

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

"""What a policy node hears in shadow: who commands, who marks episodes, who would take over."""

from std_msgs.msg import Header

from iql_ros.files import InputError
from iql_ros.nodes.control.heard_commands import HeardCommands
from iql_ros.nodes.control.interventions import Interventions
from iql_ros.nodes.control.shadow_loop import ShadowLoop
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.shadow_runner import ShadowRunner


def check_shadow(settings) -> None:
    """
    Refuse what a policy that sends nothing cannot do; `settings` are policy_node's parameters.

    Raises:
        InputError: for lockstep and for a learner.

    """
    if not settings.shadow:
        return
    if settings.learner:
        raise InputError(f"parameter 'shadow': got true with learner '{settings.learner}'; "
                         'nothing is sent that one could learn from: expected one of the two')
    if settings.lockstep:
        raise InputError("parameter 'shadow': got true with lockstep; the simulator would wait "
                         'for an answer that is not sent: expected one of the two')


class Shadow:
    """The ears of a policy node in shadow; not a Node."""

    def __init__(self, node, interface: RobotInterface, tap, note):
        """Listen to who commands; `tap`: see RobotBridge. `note` is told what is not taken."""
        self._node, self._note = node, note
        self.heard = HeardCommands(node, interface, tap, note)
        self._subscription = None

    def subscribe(self, loop: ShadowLoop, runner: ShadowRunner, interventions: Interventions):
        """Let others mark episodes, and name an operator whose commands move nothing."""
        self._runner = runner
        self._subscription = self._node.create_subscription(
            Header, '~/event', lambda message: loop.hear(message.frame_id), 10)
        interventions.subscribe(
            lambda: self._note('a command on ~/intervention moves nothing in shadow: command the '
                               'robot itself'), self._note, self._note)

    def remarks(self) -> list[str]:
        """Return what a person should know."""
        return self.heard.remarks()

    def describe(self, results) -> dict[str, str]:
        """Return the comparison, and what the episodes returned, by name; see EpisodeLog."""
        returns = [result.return_ for result in results]
        values = {'shadow': 'nothing is sent to the robot', **self.heard.describe(),
                  **self._runner.comparison.describe()}
        if returns:
            values['return of the task'] = (
                f'{returns[-1]:.4g}, mean {sum(returns) / len(returns):.4g} of '
                f'{len(returns)} episodes')
        return values

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self.heard.destroy()
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)

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

"""The people around a robot: who presses buttons, calls services, drives, and gets in the way."""

import threading
import time

from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, UInt8MultiArray
from std_srvs.srv import Trigger

NODE = 'policy_node'
E_STOP = f'{NODE}/e_stop'
_WEIGHTS_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_BUTTON_QOS = {
    'reliable': QoSProfile(depth=10),
    'best_effort': QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT),
    'latched': QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)}
TRANSITIONS = {'configure': Transition.TRANSITION_CONFIGURE,
               'activate': Transition.TRANSITION_ACTIVATE,
               'deactivate': Transition.TRANSITION_DEACTIVATE,
               'cleanup': Transition.TRANSITION_CLEANUP}


class Refused(Exception):
    """A service said no, or did not answer."""


class Person(Node):
    """Services, buttons and commands of people, with their own publishers."""

    def __init__(self, name: str = 'person'):
        """Begin with nothing but a name."""
        super().__init__(name)
        self._buttons, self._callers = {}, {}
        self.asked_at = 0.0     # when a service was asked last [CLOCK_MONOTONIC, s]
        self._repeats = []
        self._operator = self.create_publisher(TwistStamped, f'{NODE}/intervention/cmd_vel', 10)
        self._weights = None

    # Services ------------------------------------------------------------------------------

    def prepare(self, timeout: float) -> None:
        """Find the services whose answers are timed."""
        for name in ('clear_trip', 'end_episode'):
            client = self._client(Trigger, f'{NODE}/{name}')
            client.wait_for_service(timeout)
        self._client(ChangeState, f'{NODE}/change_state').wait_for_service(timeout)
        time.sleep(0.2)  # for the other half of every match

    def _client(self, kind, name: str):
        if name not in self._callers:
            self._callers[name] = self.create_client(kind, name)
        return self._callers[name]

    def ask(self, kind, name: str, request, timeout: float = 5.0):
        """
        Return a service's answer.

        Raises:
            Refused: when there is none in time [s].

        """
        client = self._client(kind, name)
        if not client.wait_for_service(timeout):
            raise Refused(f'no service {name}')
        done, self.asked_at = threading.Event(), time.monotonic()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(timeout):
            raise Refused(f'no answer of {name} within {timeout:g} s')
        return future.result()

    def trigger(self, name: str, timeout: float = 5.0) -> None:
        """Call a Trigger of the policy node; raise Refused with what it says when it refuses."""
        response = self.ask(Trigger, f'{NODE}/{name}', Trigger.Request(), timeout)
        if not response.success:
            raise Refused(response.message or 'no reason')

    def change(self, transition: str | int, timeout: float = 10.0) -> None:
        """Ask for a lifecycle transition, by name or id; raise Refused when it fails."""
        request = ChangeState.Request()
        request.transition.id = TRANSITIONS.get(transition, transition)
        if not self.ask(ChangeState, f'{NODE}/change_state', request, timeout).success:
            raise Refused(f'transition {transition} failed')

    def state(self) -> str:
        """Return the policy node's lifecycle state."""
        return self.ask(GetState, f'{NODE}/get_state', GetState.Request(),
                        2.0).current_state.label

    def set_parameter(self, name: str, value, kind: int | None = None) -> None:
        """Ask for a parameter, of a type that may not exist, and do not wait for the answer."""
        client = self._client(SetParameters, f'{NODE}/set_parameters')
        client.wait_for_service(5.0)
        message = Parameter(name, value=value).to_parameter_msg()
        message.value.type = message.value.type if kind is None else kind
        client.call_async(SetParameters.Request(parameters=[message]))

    # Buttons -------------------------------------------------------------------------------

    def press(self, down: bool, topic: str = E_STOP, qos: str = 'reliable', who: int = 0,
              heard: bool = True) -> float:
        """Press or release a stop button; return when. `heard`: by somebody, wait for that."""
        key = topic, qos, who
        publisher = self._buttons.get(key)
        if publisher is None:
            publisher = self._buttons[key] = self.create_publisher(Bool, topic, _BUTTON_QOS[qos])
            if heard:
                wait_for(publisher.get_subscription_count, 5.0)
                time.sleep(0.2)  # the other subscriptions of the same node
        now = time.monotonic()
        publisher.publish(Bool(data=down))
        return now

    def forget_buttons(self) -> None:
        """Take every button away."""
        for publisher in self._buttons.values():
            self.destroy_publisher(publisher)
        self._buttons = {}

    # What goes on for a while --------------------------------------------------------------

    def repeat(self, action, period: float) -> threading.Event:
        """Do something each period [s] until the event that is returned is set."""
        ended = threading.Event()

        def loop():
            while not ended.wait(period):
                action()
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        self._repeats.append((ended, thread))
        return ended

    def stop_repeating(self) -> None:
        """End all that is repeated."""
        for ended, thread in self._repeats:
            ended.set()
            thread.join(2.0)
        self._repeats = []

    def drive(self, linear: float, angular: float) -> None:
        """Command as an operator does."""
        message = TwistStamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.twist.linear.x, message.twist.angular.z = linear, angular
        self._operator.publish(message)

    def send_weights(self, data: bytes, learner: str = 'finetune_node') -> None:
        """Publish a message of weights."""
        if self._weights is None:
            self._weights = self.create_publisher(UInt8MultiArray, f'{learner}/weights',
                                                  _WEIGHTS_QOS)
            wait_for(self._weights.get_subscription_count, 5.0)
        message = UInt8MultiArray()
        message.data.frombytes(data)
        self._weights.publish(message)

    def forget_weights(self) -> None:
        """Publish weights no more."""
        if self._weights is not None:
            self.destroy_publisher(self._weights)
            self._weights = None


def wait_for(condition, timeout: float, pause: float = 0.01):
    """Return what a condition returns once it is true, else what it returned last."""
    deadline = time.monotonic() + timeout
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return value


class People:
    """The nodes of this process, spun together."""

    def __init__(self):
        """Spin a person; rclpy is initialised here."""
        rclpy.init()
        self._executor = SingleThreadedExecutor()
        self.person = Person()
        self._executor.add_node(self.person)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass

    def close(self) -> None:
        """End."""
        self.person.stop_repeating()
        self._executor.shutdown(timeout_sec=2.0)
        rclpy.try_shutdown()
        self._thread.join(2.0)

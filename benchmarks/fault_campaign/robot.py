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

"""The robot of the campaign: a process that publishes its streams and breaks them as ordered."""

import math
import random
import threading
import time

from fault_campaign.setting import LIFT_ERROR
from geometry_msgs.msg import PoseStamped
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

STREAMS = ('robot_pose', 'joint_states')
_SWING = 0.8           # [s] until the pose's y changes its sign, so that the commands change
_MANY = 100_000
_DRIFT = 0.97          # of the period: never in step with the ticks of the policy
_AMONG = 50            # messages of a burst
_SERVE = 0.05          # [s] how soon the reset service comes and goes
_CLOCK_FACTOR = 2      # a simulated clock moves so many times as often as a sample comes


class Robot(Node):
    """
    Publishes every stream each period; `order` says what is wrong with one.

    Orders of a stream: stop, freeze, nan, inf, large (1e30), overflow (3e38), zero_quaternion,
    scaled_quaternion, far (5 m away), stamp (moved by `seconds`), stamp_zero, shuffled, missing,
    short, many, renamed (other joints besides, in every message); None heals. `count`: for so
    many samples only. Orders of the clock: jump, stand, go;
    of the lift, which follows its command at once: stuck, free, tell.
    """

    def __init__(self, simulated: bool):
        """Publish on the system's clock, or on a /clock of its own."""
        super().__init__('robot')
        self._simulated, self._offset_ns, self._stands_at = simulated, 0, None
        self._clock_moved = 0.0
        self._do = dict.fromkeys(STREAMS)
        self._last = {}     # of every stream: (monotonic time [s] and stamp [ns]) of a good one
        self.reset = 'ok'
        self._senders = {
            'robot_pose': self.create_publisher(PoseStamped, 'robot_pose', 10),
            'joint_states': self.create_publisher(JointState, 'joint_states', 10)}
        if simulated:
            self._clock_sender = self.create_publisher(Clock, '/clock', QoSProfile(depth=10))
        self._reset_service = None
        self.create_timer(_SERVE, self._serve)
        self._lift, self._lift_stuck, self._off_since = 0.0, False, None
        self._senders['lift_state'] = self.create_publisher(JointState, 'lift_state', 10)
        self.create_subscription(Float64MultiArray, 'lift/command', self._on_lift, 10)

    def _on_lift(self, message) -> None:
        if not self._lift_stuck:
            self._lift = message.data[0]
        if abs(message.data[0] - self._lift) <= LIFT_ERROR:
            self._off_since = None
        elif self._off_since is None:
            self._off_since = time.monotonic()

    def _serve(self) -> None:
        """Offer the reset service, or not; in the thread that spins."""
        if self.reset == 'absent' and self._reset_service is not None:
            self.destroy_service(self._reset_service)
            self._reset_service = None
        elif self.reset != 'absent' and self._reset_service is None:
            self._reset_service = self.create_service(Trigger, 'reset_world', self._on_reset)

    def _on_reset(self, request, response):
        if self.reset == 'slow':
            time.sleep(1.0)
        response.success = self.reset != 'failing'
        response.message = '9' * 5000 if self.reset == 'digits' else str(self.now_ns())
        return response

    def now_ns(self) -> int:
        """Return the robot's time [ns]."""
        if self._stands_at is not None:
            return self._stands_at
        return time.time_ns() + self._offset_ns

    def order(self, order: dict) -> dict:
        """Do as ordered; return when the cause went out and when what it breaks last was well."""
        if 'clock' in order:
            return self._order_clock(**order)
        if 'reset' in order:
            self.reset = order['reset']
            return {'mono': time.monotonic()}
        if 'lift' in order:
            self._lift_stuck = order['lift'] == 'stuck' or (
                self._lift_stuck and order['lift'] == 'tell')
            return {'mono': time.monotonic(), 'off_since': self._off_since}
        stream, count = order['stream'], order.get('count')
        last_mono, last_stamp = self._last[stream]
        if order['do'] == 'burst':
            now = time.monotonic()
            for number in range(count):
                self._publish(stream)
                if number % _AMONG == 0:  # the other stream goes on
                    self.publish()
            return {'mono': now, 'took': time.monotonic() - now}
        self._do[stream] = order if order['do'] else None
        now = time.monotonic()
        if order['do'] not in ('stop', None):
            self._publish(stream)
        return {'mono': now, 'last_mono': last_mono, 'last_stamp': last_stamp}

    def _order_clock(self, clock: str, seconds: float = 0.0) -> dict:
        before = self._clock_moved
        now = time.monotonic()
        if clock == 'jump':
            self._offset_ns += round(seconds * 1e9)
        elif clock == 'stand':
            self._stands_at = self.now_ns()
        else:
            self._offset_ns += self._stands_at - time.time_ns() - self._offset_ns
            self._stands_at = None
        self.tick_clock()
        return {'mono': now, 'last_mono': before}

    def tick_clock(self) -> None:
        """Publish /clock, where time is simulated; one that stands says the same again."""
        if not self._simulated:
            return
        now_ns = self.now_ns()
        if self._stands_at is None:
            self._clock_moved = time.monotonic()
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(now_ns, 10**9)
        self._clock_sender.publish(message)

    def publish(self) -> None:
        """Publish a sample of every stream."""
        for stream in STREAMS:
            self._publish(stream)
        message = JointState(name=['lift'], position=[self._lift])
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(self.now_ns(), 10**9)
        self._senders['lift_state'].publish(message)

    def _publish(self, stream: str) -> None:
        order = self._do[stream] or {}
        do = order.get('do')
        if do == 'stop':
            return
        now_ns = self.now_ns()
        good = do in (None, 'large', 'far', 'shuffled', 'many', 'renamed')
        if good:
            self._last[stream] = time.monotonic(), now_ns
        stamp = {'freeze': self._last[stream][1], 'stamp_zero': 0,
                 'stamp': now_ns + round(order.get('seconds', 0.0) * 1e9)}.get(do, now_ns)
        make = _pose if stream == 'robot_pose' else _joints
        message = make(do, order.get('y'))
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
        self._senders[stream].publish(message)
        if order.get('count'):
            order['count'] -= 1
            if not order['count']:
                self._do[stream] = None


def _pose(do: str | None, y: float | None) -> PoseStamped:
    message = PoseStamped()
    pose = message.pose
    pose.position.x = {'nan': math.nan, 'inf': math.inf, 'large': 1e30, 'overflow': 3e38,
                       'far': 5.0}.get(do, 1.0)
    pose.position.y = y if y is not None else math.copysign(
        1.0, math.sin(math.pi * time.monotonic() / _SWING))
    pose.orientation.w = {'zero_quaternion': 0.0, 'scaled_quaternion': 3.0}.get(do, 1.0)
    return message


def _joints(do: str | None, _) -> JointState:
    names = ['right_wheel', 'left_wheel', 'arm']
    values = [2.0, 1.0, 0.0]
    if do in ('nan', 'inf'):
        values[1] = float(do)
    elif do == 'shuffled':
        names, values = ['left_wheel', 'arm', 'right_wheel'], [1.0, 0.0, 2.0]
    elif do == 'missing':
        names, values = ['right_wheel', 'arm'], [2.0, 0.0]
    elif do == 'short':
        values = values[:1]
    elif do == 'renamed':
        names = names + [f'joint_{random.getrandbits(40)}' for _ in range(3)]
        values = values + [0.0] * 3
    elif do == 'many':
        names = names + [f'joint_{index}' for index in range(_MANY)]
        values = values + [0.0] * _MANY
    return JointState(name=names, velocity=values)


def run(pipe, rate: float, simulated: bool) -> None:
    """Publish `rate` samples a second [Hz]; do and answer orders, None ends."""
    rclpy.init()
    robot, executor = Robot(simulated), SingleThreadedExecutor()
    executor.add_node(robot)
    thread = threading.Thread(target=_spin, args=(executor,), daemon=True)
    thread.start()
    robot.publish()
    pipe.send('ready')
    factor = _CLOCK_FACTOR if simulated else 1
    period, cycle, due = _DRIFT / rate / factor, 0, time.monotonic()
    while True:
        due = max(due + period, time.monotonic() - 5 * period)
        while pipe.poll(max(0.0, due - time.monotonic())):
            order = pipe.recv()
            if order is None:
                rclpy.try_shutdown()
                return
            pipe.send(robot.order(order))
        robot.tick_clock()
        cycle += 1
        if cycle % factor == 0:
            robot.publish()


def _spin(executor) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        pass

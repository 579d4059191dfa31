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

"""Mutated messages and service calls to live nodes, and what becomes of the nodes."""

import array
from pathlib import Path
import random

from lifecycle_msgs.srv import ChangeState
from mutation_campaign.checkpoints import change_checkpoint, join, parts
from mutation_campaign.live_nodes import LATCHED, LiveNodes
from mutation_campaign.mutate import change_bytes, NUMBERS, TEXTS
from mutation_campaign.results import kinds_of
import numpy as np
from rcl_interfaces.msg import Parameter
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from session import ROBOT_CONFIG
from std_msgs.msg import (
    Float64MultiArray, MultiArrayDimension, MultiArrayLayout, UInt64MultiArray, UInt8MultiArray)
from std_srvs.srv import SetBool, Trigger

from iql_ros.online.experience import Acknowledgement, Experience, ExperienceFormat
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import Transition

_LOT = 20               # cases between two looks at the nodes
_APART = 0.03           # [s] between messages; a queue of one keeps the last
_SESSION = 4711
_TRIGGERS = ('start_episode', 'end_episode', 'success', 'failure', 'clear_trip')
_NAMES = ('exploration_scale', 'exploration_limit', 'weights_at', 'use_sim_time', 'checkpoint',
          'learner_run', 'robot_config', 'intervention_timeout', *TEXTS[:8])
_TRANSITIONS = (0, 1, 2, 3, 4, 10, 11, 30, 41, 61, 90, 200, 255)  # not those that end a node


class Sender:
    """Makes each case from its number, and sends it."""

    def __init__(self, nodes: LiveNodes):
        """Open the topics beside those of the learner and of the policy node."""
        self._nodes, robot = nodes, nodes.robot
        interface = load_robot_interface(ROBOT_CONFIG)
        self._interface, self._form = interface, ExperienceFormat(interface, Task(interface))
        self._version, self._step = 10**6, 0
        self._publishers = {
            'weights': robot.create_publisher(UInt8MultiArray, 'finetune_node/weights', LATCHED),
            'experience': robot.create_publisher(Float64MultiArray, 'policy_node/experience', 100),
            'acknowledged': robot.create_publisher(UInt64MultiArray, 'policy_node/acknowledged',
                                                   QoSProfile(depth=10))}

    def send(self, kind: str, rng) -> str:
        """Send a case; return what was done."""
        if kind == 'service':
            return self._call(rng)
        if kind == 'raw':
            kind = rng.choice(tuple(self._publishers))
            data, done = change_bytes(serialize_message(self._message(kind, rng)[0]), rng)
            self._publishers[kind].publish(data)
        else:
            message, done = self._message(kind, rng)
            self._publishers[kind].publish(message)
        self._nodes.pause(_APART)
        return f'{kind} {done}'

    def _message(self, kind: str, rng):
        return {'weights': self._weights, 'experience': self._experience,
                'acknowledged': self._acknowledged}[kind](rng)

    def _weights(self, rng):
        self._version += 1
        table, header, tensor_bytes = parts(self._nodes.robot.weights)
        header['weights'] = {'run': self._nodes.run, 'version': self._version, 'updates': 1}
        data, done = join(table, header, tensor_bytes), 'sound'
        if rng.random() < 0.97:
            data, done = change_checkpoint(data, rng)
        if rng.random() < 0.01:
            data, done = data + bytes(20_000_000), 'huge'
        return UInt8MultiArray(data=array.array('B', data)), done

    def _experience(self, rng):
        scaling = self._interface.action_scaling
        self._step += 1
        numbers = np.random.default_rng(rng.randrange(2**32))
        row = self._form.encode(Experience(Transition(
            self._step, numbers.normal(size=6), numbers.uniform(scaling.low, scaling.high), -1.0,
            numbers.normal(size=6), False, False, False), '', _SESSION, self._step, 0, 0, 0))
        data = list(row) * rng.choice((1, 1, 5))
        labels = [list(pair) for pair in self._form.labels(_SESSION)]
        done = rng.choice(('values', 'values', 'label', 'labels', 'length', 'huge', 'sound'))
        if done == 'values':
            for _ in range(rng.choice((1, 3, 20))):
                data[rng.randrange(len(data))] = float(rng.choice(NUMBERS[:10] + NUMBERS[11:]))
        elif done == 'label':
            said = labels[0][0].split(';')
            said[rng.randrange(len(said))] = rng.choice((
                '', 'session=' + rng.choice(TEXTS[:14]), 'schema=' + '9' * 5000, '=', 'a=b'))
            labels[0][0] = ';'.join(said).replace('\x00', '')
        elif done == 'labels':
            labels = rng.choice((labels[1:], labels * 2, [], labels * 1000, [['a' * 10**6, 1]]))
        elif done == 'length':
            data = data[:rng.randrange(len(data))]
        elif done == 'huge':
            data = data * rng.choice((100, 4000))  # DDS keeps room for the largest, many times
        return Float64MultiArray(data=array.array('d', data), layout=MultiArrayLayout(dim=[
            MultiArrayDimension(label=label, size=size, stride=rng.choice((0, 2**32 - 1)))
            for label, size in labels])), done

    def _acknowledged(self, rng):
        said = list(Acknowledgement(self._nodes.run, _SESSION, 1, 1, 0, 1))
        whole = [value for value in NUMBERS if isinstance(value, int) and 0 <= value < 2**64]
        for _ in range(rng.choice((0, 1, 6))):
            said[rng.randrange(6)] = rng.choice(whole)
        said *= rng.choice((1, 1, 1, 0, 2, 20_000))
        return UInt64MultiArray(data=said), f'{len(said)} values'

    def _call(self, rng) -> str:
        node = rng.choice(('policy_node', 'policy_node', 'finetune_node'))
        kind = rng.choice(('trigger', 'trigger', 'state', 'set', 'set', 'get', 'describe', 'list'))
        count = rng.choice((0, 1, 3, 1000))
        names = [rng.choice(_NAMES).replace('\x00', '') for _ in range(count)]
        if kind == 'trigger':
            name = f'{node}/' + (rng.choice(_TRIGGERS) if node == 'policy_node' else
                                 'save_checkpoint')
            self._nodes.call(Trigger, name, Trigger.Request())
            self._nodes.call(SetBool, 'finetune_node/pause', SetBool.Request(data=False))
        elif kind == 'state':
            request = ChangeState.Request()
            request.transition.id, request.transition.label = rng.choice(_TRANSITIONS), names and \
                names[0] or ''
            self._nodes.call(ChangeState, 'policy_node/change_state', request, 10.0)
            self._nodes.activate()
        elif kind == 'set':
            self._nodes.call(SetParameters, f'{node}/set_parameters', SetParameters.Request(
                parameters=[self._parameter(name, rng, 10**6 // count) for name in names]))
        else:
            service = {'get': GetParameters, 'describe': DescribeParameters,
                       'list': ListParameters}[kind]
            request = (ListParameters.Request(prefixes=names, depth=rng.choice((0, 1, 2**63)))
                       if kind == 'list' else service.Request(names=names))
            self._nodes.call(service, f'{node}/{kind}_parameters', request)
        return f'{node} {kind}'

    @staticmethod
    def _parameter(name: str, rng, longest: int) -> Parameter:
        found = Parameter(name=name)
        value = found.value
        value.type = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99, 255))
        value.string_value = rng.choice(TEXTS).replace('\x00', '')
        value.double_value = float(rng.choice((0.0, -1.0, 1e308, float('nan'), float('inf'))))
        value.integer_value = rng.choice((0, -1, 2**63 - 1, -2**63))
        value.string_value = value.string_value[:longest]
        value.string_array_value = [value.string_value] * rng.choice((0, 3))
        return found


KINDS = ('weights', 'experience', 'acknowledged', 'raw', 'service')


def run(folder: Path, given, kept) -> None:
    """Send `given.times` cases, those kinds in turn."""
    kinds = kinds_of(given, KINDS)
    nodes = LiveNodes(folder)
    cases = [(kinds[number % len(kinds)], number) for number in range(given.times)]
    if given.again is not None:
        cases = [(kinds[given.again % len(kinds)], given.again)]
    cases = [case for case in cases if given.again is not None or case not in kept.results]
    try:
        nodes.start()
        sender = Sender(nodes)
        nodes.pause(1.0)
        for start in range(0, len(cases), _LOT):
            lot = cases[start:start + _LOT]
            results = _send(sender, nodes, lot, given.seed)
            if len(lot) > 1 and results[0]['ended'] != 'answered':
                print(f'lot {lot[0]} to {lot[-1]}: {results[0]["text"][:500]}', flush=True)
                nodes.start()
                results = [_alone(sender, nodes, case, given.seed) for case in lot]
            for (kind, number), result in zip(lot, results):
                kept.add(kind, number, **result)
    finally:
        nodes.close()


def _send(sender: Sender, nodes: LiveNodes, lot, seed: int) -> list[dict]:
    done = [sender.send(kind, random.Random(f'{seed} {kind} {number}')) for kind, number in lot]
    trouble, seconds, memory = nodes.trouble()
    return [{'ended': 'in trouble' if trouble else 'answered', 'done': each, 'text': trouble,
             'seconds': seconds, 'memory': max(0.0, memory)} for each in done]


def _alone(sender: Sender, nodes: LiveNodes, case, seed: int) -> dict:
    result, = _send(sender, nodes, [case], seed)
    if result['ended'] != 'answered':
        nodes.start()
    return result

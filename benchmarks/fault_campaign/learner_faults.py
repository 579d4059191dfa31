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

"""Faults of a learner and of what passes for weights: control goes on with what it has."""

import os
import signal

from fault_campaign.fault import DRIVES_ON, Fault, goes_on
from fault_campaign.person import wait_for

_NODE = {'learner': 'finetune_node', 'evaluate_every': 0}


def _send(*names):
    """Return a cause: messages of weights, one after the other."""
    def cause(run):
        for name in names:
            run.person.send_weights((run.stage.folder / f'{name}.weights').read_bytes())
            run.pause(0.15)
    return cause


def _weights(name, what, *names):
    return Fault(f'weights_{name}', f'weights that are {what}', DRIVES_ON, '', goes_on(
        _send(*names), then_e_stop=True), _NODE)


def _learner_killed(run):
    """Kill a learner that learns from this robot."""
    learner = run.stage.start_learner()
    run.check(wait_for(lambda: 'transitions' in learner.words() or learner.ended, 30.0),
              'the learner does not begin')
    run.check(not learner.ended, f'the learner ended: {learner.words()}')
    play = goes_on(lambda run: os.kill(learner.pid, signal.SIGKILL), seconds=1.5)
    play(run)


FAULTS = (
    Fault('learner_killed', 'SIGKILL of the learner', DRIVES_ON, '', _learner_killed, _NODE),
    _weights('cut', 'cut or empty', 'cut', 'empty'),
    _weights('poisoned', 'NaN, 1e30, bool, of 400 digits', 'nan', 'large', 'bool', 'digits'),
    _weights('foreign', "another robot's, or without a robot", 'foreign', 'number'),
    _weights('huge', '20 MB of noise, a 24 MB header, an alias bomb', 'noise', 'long_header',
             'bomb'),
)

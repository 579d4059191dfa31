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

import functools
import os
import signal

from fault_campaign.fault import DRIVES_ON, EITHER, either, Fault, goes_on
from fault_campaign.person import wait_for
from fault_campaign.setting import weights

_NODE = {'learner': 'finetune_node', 'evaluate_every': 0}


_made = functools.cache(weights)


def _send(*names):
    """Return what is prepared, and a cause: messages of weights, one after the other."""
    def cause(run):
        for message in messages:
            run.person.send_weights(message)
            run.pause(0.15)

    def ready(run):
        messages[:] = [_made(run.stage.rate)[name] for name in names]
    messages = []
    return ready, cause


def _weights(name, what, *names):
    ready, cause = _send(*names)
    return Fault(f'weights_{name}', f'weights that are {what}', DRIVES_ON, '', goes_on(
        cause, then_e_stop=True, ready=ready), _NODE)


def _huge():
    """Return one whose arrival alone holds the interpreter longer than a fast robot may wait."""
    ready, cause = _send('huge')

    def play(run):
        ready(run)
        either(cause)(run)
    return Fault('weights_huge', 'weights of 20 MB', EITHER, '', play, _NODE)


def _learner_killed(run):
    """Kill a learner that learns from this robot."""
    learner = run.stage.start_learner()
    run.check(wait_for(lambda: 'transitions' in learner.words() or learner.ended, 30.0),
              'the learner does not begin')
    if run.check(not learner.ended, f'the learner ended: {learner.words()}'):
        goes_on(lambda run: os.kill(learner.pid, signal.SIGKILL), seconds=1.5)(run)


FAULTS = (
    Fault('learner_killed', 'SIGKILL of the learner', DRIVES_ON, '', _learner_killed, _NODE),
    _weights('cut', 'cut or empty', 'cut', 'empty'),
    _weights('poisoned', 'NaN, 1e30, bool, of 400 digits', 'nan', 'large', 'bool', 'digits'),
    _weights('foreign', "another robot's, or without a robot", 'foreign', 'number'),
    _weights('noise', '2 MB of zeros', 'noise'),
    _weights('header', 'a header of 1 MB', 'long_header'),
    _weights('bomb', "an alias bomb in a robot's YAML", 'bomb'),
    _huge(),
)

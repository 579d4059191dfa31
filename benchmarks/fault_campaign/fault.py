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

"""What a fault is, and the two ways in which most of them go: the robot stops, or goes on."""

import dataclasses
import time
from typing import Callable

STOPS, DRIVES_ON, EITHER = 'stops', 'goes on', 'goes on, or stops with words'


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault: how it is played, and what the table says of it."""

    name: str
    what: str                    # is brought about
    should: str                  # happen
    moment: str                  # that the reaction is measured from; '' where there is none
    play: Callable               # of a Run
    node: dict = dataclasses.field(default_factory=dict)   # parameters of the policy node
    simulated: bool = False      # time comes from the robot's /clock
    lethal: bool = False         # needs a new policy node each time

    @property
    def group(self) -> tuple:
        """Return what faults have in common that can share a policy node."""
        return self.simulated, str(self.node)


def trips(cause, heal=lambda run: None, words='', refused=True, seconds_only=False,
          ready=lambda run: None):
    """
    Return a play: the cause stops the robot, which stays stopped until it is cleared.

    Args:
        cause: Of a Run; brings it about and returns when it could be seen, see Run.expect_stop.
        heal: Of a Run; ends the cause.
        words: Regular expression that /diagnostics must fulfil.
        refused: Whether clear_trip must be refused before it is healed.
        seconds_only: Whether only the 0.2 s count.
        ready: Of a Run; what is prepared once the robot is driven.

    """
    def play(run):
        run.drive()
        ready(run)
        run.random_moment()
        at = cause(run)
        try:
            run.expect_stop(at, seconds_only)
            run.expect_latched(words)
            if refused:
                run.expect_refused()
        finally:   # a run that was disturbed is played again
            heal(run)
        run.expect_no_driving(max(0.3, 3 * run.period), 'before clear_trip, by itself')
        run.expect_clear_and_drive()
    return play


def goes_on(cause, heal=lambda run: None, seconds=0.8, then_e_stop=False, words='',
            look=lambda run, begin: None, ready=lambda run: None):
    """
    Return a play: the cause does not stop the robot.

    Args:
        cause: Of a Run; brings it about.
        heal: Of a Run; ends the cause.
        seconds: How long the robot is watched from then on.
        then_e_stop: Whether an e_stop is pressed afterwards: it must stop the robot.
        words: Regular expression that /diagnostics must fulfil meanwhile.
        look: Of a Run and when it began; what else is to be looked at.
        ready: Of a Run; what is prepared before.

    """
    def play(run):
        ready(run)
        run.drive()
        run.random_moment()
        begin = time.monotonic()
        cause(run)
        run.expect_going_on(begin, max(seconds, 4 * run.period))
        if words:
            run.expect_words(words, begin)
        look(run, begin)
        if then_e_stop:
            run.expect_e_stop()
        heal(run)
    return play


def either(cause, heal=lambda run: None, seconds=1.5):
    """Return a play: the robot goes on, or trips with words, latched; never anything else."""
    def play(run):
        run.drive()
        run.random_moment()
        begin = time.monotonic()
        cause(run)
        run.pause(max(seconds, 4 * run.period))
        heal(run)
        found = run.stops_since(begin)
        if found:
            run.stopped_at = found[0].mono
            run.expect_latched('TRIPPED: .')
            run.notes.append(f'tripped: {run.words[:80]}')
            run.expect_clear_and_drive()
        else:
            run.expect_going_on(begin, 0.1)
    return play

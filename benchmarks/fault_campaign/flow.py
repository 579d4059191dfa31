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

"""How one run goes: bring about, measure, judge, heal; it notes what did not hold."""

import math
import random
import re
import time

from fault_campaign import judge
from fault_campaign.person import Refused, wait_for
from fault_campaign.setting import settle
from fault_campaign.stage import Stage

SECONDS = 0.2          # [s] within which every stop comes
_PERIODS = 2           # and within so many periods
_STOP_COMES = 4.0      # [s] after which no stop will come
_WORDS_COME = 6.0      # [s]; /diagnostics come once a second
_BEFORE = 0.02         # [s] the moment of a cause may be an estimate from above
_LATE = ' late|no word|not answered| s old'   # words of trips that a busy machine explains
_SLACK = 0.01          # [s] of a repeated stop or a command, between two processes


class Disturbed(Exception):
    """The machine, or a trip before the cause, spoiled the run; it does not count."""


class Run:
    """One run of one fault on a stage; `problems` is what did not hold."""

    def __init__(self, stage: Stage, draw: random.Random):
        """Begin to listen; `draw` decides the random moments."""
        self.stage, self.allowed, self._draw = stage, stage.allowed, draw
        self.person = stage.person
        self.driven_since = time.monotonic()
        self.period = self.allowed.period
        self.begin = time.monotonic()
        self.problems, self.notes = [], []
        self.reaction = self.late = None     # [s]; what a core was away is subtracted
        self.words = ''                      # in /diagnostics
        self.stopped_at = None
        self.cleared = False                 # although it should not have been

    def check(self, holds: bool, problem: str) -> bool:
        """Note a problem unless something holds."""
        if not holds:
            self.problems.append(problem)
        return holds

    def bound(self, seconds_only: bool = False) -> float:
        """Return how long a stop may take [s]."""
        return SECONDS if seconds_only else min(SECONDS, _PERIODS * self.period)

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def drive(self) -> None:
        """Have the robot driven."""
        cleared = self.stage.drive()
        if cleared:
            self.notes.append(f'{cleared} trips before')

    def random_moment(self) -> None:
        """Wait for some time up to three periods and a tenth of a second."""
        self.driven_since = time.monotonic()
        time.sleep(self._draw.uniform(0.0, 3 * self.period + 0.1))
        self.acted_at = time.monotonic()

    def expect_stop(self, cause, seconds_only: bool = False) -> bool:
        """
        Wait for the first stop and measure the reaction; say whether it came.

        Args:
            cause: When it could be seen [CLOCK_MONOTONIC, s], or a function of the first stop
                and the commands before it that returns that.
            seconds_only: Whether the bound is 0.2 s alone.

        """
        begin = self.driven_since
        found = self.stage.wait_commands(
            begin, lambda commands: judge.stops(commands, self.allowed), self._patience(cause))
        if not found:
            self.stopped_at = None
            ended = self.stage.commands(begin)
            last = f'; the last command came {time.monotonic() - ended[-1].mono:.2f} s ago' \
                if ended else ''
            return self.check(False, f'no stop came{last}')
        stop = found[0]
        self.stopped_at = stop.mono
        if callable(cause):  # at 5 Hz the last command may be from before
            cause = cause(stop, self.stage.commands(begin - 3 * self.period))
        if stop.mono < max(self.acted_at, cause - _BEFORE):
            raise Disturbed('a stop came before the cause')
        self.late = self.stage.away(cause, max(stop.mono, cause))
        self.reaction = max(0.0, stop.mono - cause - self.late)
        bound = self.bound(seconds_only)
        return self.check(self.reaction <= bound,
                          f'the stop came {1e3 * (stop.mono - cause):.1f} ms after the cause '
                          f'(a core was away for {1e3 * self.late:.1f} ms); allowed '
                          f'{1e3 * bound:.0f} ms')

    def _patience(self, cause) -> float:
        return _STOP_COMES if callable(cause) else max(
            _STOP_COMES, cause - time.monotonic() + _STOP_COMES)

    def due_after_last(self, stop, commands) -> float:
        """Return when the command that failed to come was due: a cause, see expect_stop."""
        last = [each for each in commands if each.mono < stop.mono][-1]
        offset = time.time() - time.monotonic()
        return last.stamp_ns * 1e-9 + self.period + settle(self.stage.rate) - offset

    def due_from(self, mono: float) -> float:
        """Return when the first tick is due that can know of something [CLOCK_MONOTONIC, s]."""
        offset, settled = time.time() - time.monotonic(), settle(self.stage.rate)
        return math.ceil((mono + offset) / self.period) * self.period + settled - offset

    def expect_latched(self, words: str = '') -> None:
        """Watch a latched stop for a while: repeated, nothing else; the words are there."""
        if self.stopped_at is None:
            return
        hold = max(0.4, 4 * self.period)
        self.pause(max(0.0, self.stopped_at + hold - time.monotonic()))
        if words:
            self.expect_words(words)
        end = time.monotonic()
        commands = self.stage.commands(self.stopped_at)
        after = judge.driving(commands, self.allowed)
        self.check(not after, f'{len(after)} driving commands after the stop')
        when, gap = judge.longest_gap(commands, self.stopped_at, end)
        late = self.stage.away(when, when + gap)
        self.check(gap - late <= _PERIODS * self.period + _SLACK,
                   f'the stop was not repeated for {gap:.3f} s; {judge.around(commands, when)}')

    def expect_words(self, words: str, since: float | None = None) -> None:
        """Wait for words (a regular expression) in the policy node's diagnostics."""
        since = self.stopped_at if since is None else since

        def said():
            texts = [text for _, name, text in self.stage.heard(since)['diagnostics']
                     if 'policy_node' in name]
            self.words = texts[-1] if texts else self.words
            return any(re.search(words, text, re.IGNORECASE) for text in texts)
        came = wait_for(said, _WORDS_COME, 0.05)
        if not came:
            self.blame_the_machine()
        self.check(came, f'/diagnostics never said /{words}/ but {self.words[:200]!r}')

    def blame_the_machine(self) -> None:
        """Let a trip for a late tick not count where the bare timer was late in that moment."""
        if self.stopped_at is None or not re.search(_LATE, self.words):
            return
        late = self.stage.lateness(self.stopped_at - 0.5, self.stopped_at)
        if late > self.period / 2:
            raise Disturbed(f'the bare timer was {late:.3f} s late too: {self.words[:100]}')

    def look_for_a_trip(self) -> None:
        """Let something that was refused not count where the machine had tripped the node."""
        stops = self.stops_since(self.driven_since)
        if stops:
            self.stopped_at = stops[0].mono
            self.expect_words('TRIPPED')
            self.blame_the_machine()

    def expect_refused(self) -> None:
        """Expect clear_trip to be refused."""
        try:
            self.person.trigger('clear_trip')
        except Refused as refusal:
            self.notes.append(f'refused: {refusal}')
            return
        self.cleared = True
        self.problems.append('clear_trip was granted while the cause lasted')

    def expect_no_driving(self, seconds: float, why: str) -> None:
        """Expect no driving command for a while."""
        if self.cleared:
            return
        begin = time.monotonic()
        self.pause(seconds)
        found = judge.driving(self.stage.commands(begin), self.allowed, begin + _SLACK)
        self.check(not found, f'{len(found)} driving commands {why}')

    def expect_clear_and_drive(self) -> None:
        """Clear the trip; the robot must then be driven again."""
        refusal = '' if self.cleared else self.stage.clear()
        self.check(not refusal, f'clear_trip is refused although all is well: {refusal}')
        try:
            self.stage.drive(15.0)
        except Refused as refusal:
            self.problems.append(f'after clear_trip: {refusal}')

    def expect_going_on(self, begin: float, seconds: float) -> None:
        """Expect driving commands without a stop and a gap until `seconds` from now."""
        self.pause(seconds)
        end = time.monotonic() - _SLACK
        commands = self.stage.commands(begin - 2 * self.period)
        stopped = judge.stops(commands, self.allowed, begin)
        when, gap = judge.longest_gap(commands, begin, end)
        late = self.stage.away(when, when + gap)
        if stopped:
            self.stopped_at = stopped[0].mono
            self.expect_words('.')
            self.blame_the_machine()
            self.problems.append(f'it stopped: {self.words[:200]}')
        else:
            self.reaction, self.late = gap - late, late
            self.check(gap - late <= _PERIODS * self.period + _SLACK,
                       f'no command for {gap:.3f} s (a core was away for {late:.3f} s); '
                       f'{judge.around(commands, when)}')

    def expect_e_stop(self) -> None:
        """Press the e_stop: the robot must stop in time; release and drive on."""
        self.driven_since = self.acted_at = time.monotonic()
        at = self.person.press(True)
        self.expect_stop(at)
        self.person.press(False)
        self.expect_clear_and_drive()

    def expect_silence(self, begin: float, seconds: float) -> None:
        """Expect no command from a time on for a while."""
        self.pause(max(0.0, begin + seconds - time.monotonic()))
        late = [each for each in self.stage.commands(begin) if each.mono > begin]
        self.check(not late, f'{len(late)} commands where there should be silence')

    def expect_found_again(self) -> None:
        """Start the node that was killed once more: it must find the trip, and not drive."""
        begin = time.monotonic()
        self.stage.respawn()
        self.check(self.wait_active(30.0), 'it is not active within 30 s')
        self.pause(max(1.0, 6 * self.period))
        found = self.driving_since(begin)
        self.check(not found, f'{len(found)} driving commands after the restart')
        self.expect_words('TRIPPED: .', begin)
        self.expect_clear_and_drive()

    # Small questions -----------------------------------------------------------------------

    def stops_since(self, begin: float) -> list:
        """Return the stops since a time."""
        return judge.stops(self.stage.commands(begin), self.allowed)

    def driving_since(self, begin: float) -> list:
        """Return the commands since a time that are not the stop."""
        return judge.driving(self.stage.commands(begin), self.allowed)

    def active(self) -> bool:
        """Say whether the policy node is active."""
        try:
            return self.person.state() == 'active'
        except Refused:
            return False

    def wait_active(self, timeout: float) -> bool:
        """Wait until the policy node is active; say whether it is."""
        return wait_for(lambda: not self.stage.node.ended and self.active(), timeout, 0.1)

    def judge_safety(self) -> dict:
        """Judge all commands of the run; return how many were unsafe, by kind."""
        commands = self.stage.commands(self.begin)
        found = judge.unsafe(commands, self.allowed)
        for kind, cases in found.items():
            self.check(not cases, f'{len(cases)} commands {kind}: {cases[:2]}')
        return {'commands': len(commands), **{kind: len(cases) for kind, cases in found.items()}}

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

"""
Drive a robot for long, under a flood or beside a learner: memory stays flat, no tick is late.

`flood`: at 50 Hz, joint names that change with every message, a flood of service calls and of
messages. `learner`: at 100 Hz, a learner that learns from what is driven. `choice`: at 100 Hz, a
critic (two layers of 256) that weighs 32 samples at every tick, beside a process that keeps a
core busy; says how long after t_k + settle commands are sent.
"""

import argparse
import csv
import multiprocessing
import os
from pathlib import Path
import random
import re
import signal
import statistics
import sys
import tempfile
import time

from fault_campaign import judge
from fault_campaign.node import memory
from fault_campaign.person import Refused
from fault_campaign.setting import DATASET, make_agent, robot_yaml, settle
from fault_campaign.stage import environment, Stage
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from iql_ros.learner.choice import Choice
from iql_ros.runs.checkpoint import choice_facts, save_checkpoint

# control rate [Hz], minutes
MODES = {'flood': (50.0, 20.0), 'learner': (100.0, 30.0), 'choice': (100.0, 10.0)}
_LOOK = 2.0           # [s] between two looks
_ROW = 60.0           # [s] a row of the CSV
_SERVICES = 0.01      # [s] from one service call to the next
_STRANGER = 0.05      # [s] from one message of the stranger's joints to the next
_BURSTS, _BURST = 0.5, 200   # [s], messages
_GROWTH = 0.02        # of memory, from the second third to the last, is still flat
_FLAT = 2.0           # [MB] and so much is, too
_ROUNDING = 1e-3      # [s]
# Of trips: words with a time, how much of it is usual [periods], and which cores are waited for:
# a tick by one thread, what goes through two processes by two.
_CAUSES = (
    (r'a tick is ([0-9.]+) s late', 0.0, judge.away),
    (r'a command is ([0-9.]+) s late', 0.0, judge.waited),
    (r'no word from policy_node for ([0-9.]+) s', 1 / 3, judge.waited),
    (r'the sentry has not answered for ([0-9.]+) s', 1 / 3, judge.waited),
    (r'refused a command: it is ([0-9.]+) s old', 0.0, judge.waited))
_PROCESSES = ('policy_node', 'sentry', 'finetune_node')


def write_choosing_policy(folder: Path, rate: float) -> None:
    """Put a policy of a usual size, whose critic chooses, in the place of the small one."""
    agent = make_agent(width=256)
    agent.actor.log_std_parameter.data.fill_(-2.0)
    save_checkpoint(folder / 'policy.safetensors', agent, training={},
                    robot_config=robot_yaml(rate), dataset=DATASET,
                    choice=choice_facts(Choice('weighted', 32)))


def keep_a_core_busy() -> None:
    """Take a core from now on."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    while True:
        pass


def start_flood(stage: Stage) -> None:
    """Let everything go on that should not disturb."""
    person, draw = stage.person, random.Random(0)
    joints = person.create_publisher(JointState, 'joint_states', 10)
    client = person.create_client(Trigger, 'policy_node/start_episode')
    client.wait_for_service(10.0)

    def speak():
        message = JointState(name=[f'joint_{draw.getrandbits(40)}' for _ in range(8)],
                             velocity=[0.0] * 8)
        message.header.stamp = person.get_clock().now().to_msg()
        joints.publish(message)

    def ask():
        future = client.call_async(Trigger.Request())
        future.add_done_callback(lambda _: None)
        if draw.random() < 0.1:
            person.set_parameter('intervention_timeout', draw.uniform(0.4, 0.6))
    stage.order('joint_states', 'renamed')
    person.repeat(speak, _STRANGER)
    person.repeat(ask, _SERVICES)


class Watch:
    """What is seen of a long run."""

    def __init__(self, stage: Stage, learner, flood: bool):
        """Take what is watched; `learner` may be None."""
        self._stage, self._learner, self.flood = stage, learner, flood
        self.delays = []         # [s] from t_k + settle until a command was sent
        self.memory, self.trips, self.late, self.longest = [], [], [], (0.0, 0.0)
        self.on_the_way = []     # commands that were sent in time and heard late, or not
        self.commands, self.unsafe, self.period = 0, 0, stage.allowed.period
        self.began = self._seen = time.monotonic()

    def look(self) -> None:
        """Judge what has come since the last look."""
        now, stage = time.monotonic(), self._stage
        # a gap that the last look cut in two is seen whole
        heard = stage.heard(self._seen - 5 * stage.allowed.period)
        ticks = stage.late_ticks(self._seen - 1.0)
        found = heard['commands']
        self.commands += sum(each.mono >= self._seen for each in found)
        self.delays += [(each.sent_ns - each.stamp_ns) * 1e-9 - settle(stage.rate)
                        for each in judge.driving(found, stage.allowed, self._seen)]
        self.unsafe += sum(map(len, judge.unsafe(found, stage.allowed).values()))
        for when, gap in judge.gaps(found, self._seen, now) if found else ():
            timer = judge.away(ticks, when, when + gap)
            self.longest = max(self.longest, (gap - timer, timer))
            if gap - timer > 2 * stage.allowed.period + _ROUNDING:
                sent = judge.sent_apart(found, when)
                late = sent - timer > 2 * stage.allowed.period + _ROUNDING
                (self.late if late else self.on_the_way).append(
                    (round(when - self.began, 2), round(gap, 4), round(timer, 4),
                     judge.around(found, when)))
        since, self._seen = self._seen, found[-1].mono if found else now
        self._note_trips(heard, ticks, since)
        node = stage.node
        self.memory.append((now - self.began, memory(node.pid), memory(node.sentry() or 0),
                            memory(self._learner.pid) if self._learner else 0.0))

    def _note_trips(self, heard, ticks, since: float) -> None:
        for when, kind in heard['events']:
            if kind == 'trip' and when >= since:
                time.sleep(1.2)  # /diagnostics come once a second
                texts = [text for _, _, text in self._stage.heard(when)['diagnostics']
                         if 'TRIPPED' in text]
                words = texts[0][:200] if texts else 'no words'
                ours = not _explained(words, ticks, when, self.period)
                self.trips.append((when - self.began, words, ours))
                print(f'{when - self.began:7.1f} s: {words} (bare timer late by '
                      f'{1e3 * judge.lateness(ticks, when - 0.5, when):.1f} ms'
                      f'{", which does not explain it" if ours else ""})', flush=True)
                self._stage.drive()
                self._seen = time.monotonic()  # what it takes to be cleared is no late tick
                return

    def between(self, begin: float, end: float) -> list[float]:
        """Return the mean memory of every process in a window [MB]."""
        rows = [row[1:] for row in self.memory if begin <= row[0] <= end]
        return [statistics.fmean(column) for column in zip(*rows)] if rows else []


def drive_for(watch: Watch, stage: Stage, seconds: float, path: Path) -> None:
    """Watch for a time; write a row a minute."""
    with open(path, 'w', newline='') as file:
        table = csv.writer(file)
        table.writerow(['minute', *(f'{name} [MB]' for name in _PROCESSES), 'commands', 'trips',
                        'late ticks'])
        row_at, burst_at = _ROW, 0.0
        while (elapsed := time.monotonic() - watch.began) < seconds:
            time.sleep(_BURSTS)
            if watch.flood:
                stage.order('robot_pose', 'burst', count=_BURST)
            if elapsed >= burst_at:
                burst_at = elapsed + _LOOK
                watch.look()
            if elapsed >= row_at:
                row = [round(row_at / 60), *(round(value, 1) for value in watch.memory[-1][1:]),
                       watch.commands, len(watch.trips), len(watch.late)]
                table.writerow(row)
                file.flush()
                print(*row, sep='\t', flush=True)
                row_at += _ROW


def plot(watch: Watch, path: Path) -> None:
    """Draw memory over time."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8, 4))
    minutes, *columns = zip(*((row[0] / 60, *row[1:]) for row in watch.memory))
    for name, column in zip(_PROCESSES, columns):
        if any(column):
            axes.plot(minutes, column, label=name)
    axes.set(xlabel='minutes', ylabel='memory [MB]', ylim=(0, None))
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def _explained(words: str, ticks, when: float, period: float) -> bool:
    """Say whether the bare timers were as late as that for which it tripped, a period aside."""
    for pattern, usual, cores in _CAUSES:
        found = re.search(pattern, words)
        if found:
            late, begin = float(found[1]) - usual * period, when - float(found[1]) - period
            return late - cores(ticks, begin, when) <= period
    return False


def verdict(watch: Watch, seconds: float) -> bool:
    """Print what was found; say whether it is as it should be."""
    second = watch.between(seconds / 3, 2 * seconds / 3)
    last = watch.between(2 * seconds / 3, seconds)
    flat = True
    for name, before, after in zip(_PROCESSES, second, last):
        if before:
            grown = after - before
            holds = grown <= max(_FLAT, _GROWTH * before)
            flat = flat and holds
            print(f'{"ok    " if holds else "FAILED"} {name}: {before:.1f} MB in the second '
                  f'third, {after:.1f} MB in the last ({grown:+.1f})')
    cuts = statistics.quantiles(watch.delays, n=1000)
    print(f'       sent after t_k + settle: median {1e3 * cuts[499]:.2f} ms, 99 % within '
          f'{1e3 * cuts[989]:.2f} ms, 99.9 % within {1e3 * cuts[998]:.2f} ms')
    ours = [trip for trip in watch.trips if trip[2]]
    for what, cases in (('trips that the bare timer does not explain', ours),
                        ('ticks late by more than a period beyond the bare timer', watch.late)):
        print(f'{"FAILED" if cases else "ok    "} {len(cases)} {what} {cases[:5]}')
    print(f'       {len(watch.on_the_way)} commands late or lost on their way to the observer '
          f'{watch.on_the_way[:5]}')
    print(f'{"FAILED" if watch.unsafe else "ok    "} {watch.unsafe} unsafe commands of '
          f'{watch.commands}; {len(watch.trips)} trips; longest time without a command '
          f'{1e3 * watch.longest[0]:.1f} ms beyond the bare timer ({1e3 * watch.longest[1]:.1f} '
          'ms late there)')
    return flat and not ours and not watch.late and not watch.unsafe


def main(argv=None) -> int:
    """Soak; return 1 when memory grew or a tick was late."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('mode', choices=tuple(MODES))
    parser.add_argument('--minutes', type=float, help='in place of 20, 30 and 10')
    parser.add_argument('--output', type=Path, default=Path('build/soak'),
                        help='folder for the CSV and the plot')
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rate, minutes = MODES[arguments.mode]
    seconds = 60 * (arguments.minutes or minutes)
    arguments.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        environment(Path(temporary))
        stage = Stage(Path(temporary) / 'soak', rate, simulated=False)
        try:
            learns = arguments.mode == 'learner'
            if arguments.mode == 'choice':
                write_choosing_policy(stage.folder, rate)
                busy = multiprocessing.Process(target=keep_a_core_busy, daemon=True)
                busy.start()
            stage.start_node({'learner': 'finetune_node', 'evaluate_every': 0} if learns else {})
            learner = stage.start_learner() if learns else None
            stage.drive()
            floods = arguments.mode == 'flood'
            if floods:
                start_flood(stage)
            watch = Watch(stage, learner, flood=floods)
            drive_for(watch, stage, seconds, arguments.output / f'{arguments.mode}.csv')
        except Refused as refusal:
            raise SystemExit(f'{refusal}\n{stage.node.words()}')
        finally:
            stage.close()
    plot(watch, arguments.output / f'{arguments.mode}.png')
    return 0 if verdict(watch, seconds) else 1


if __name__ == '__main__':
    sys.exit(main())

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
What topics cost fine-tuning: steps without updates, and updates beside the experience.

Steps over topics in lockstep are compared with the same in process, and with what that and bare
messages take (bare.py); the learner's updates, with experience coming in, with those of offline
training in a process of its own, in turns.
"""

import argparse
import dataclasses
import json
import os
from pathlib import Path
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from session import CHECKPOINT, ENVIRONMENT, prepare, ROBOT_CONFIG, Session
import torch

from iql_ros.online.experience_log import read_experience
from iql_ros.online.finetune import finetune
from iql_ros.online.settings import FinetuneSettings
from iql_ros.runs.checkpoint import config_of, read_header
from iql_ros.runs.settings import TrainSettings
from iql_ros.runs.train import train
from iql_ros.sim.node_command import simulation_environment

_NEVER = 10**9
_QUIET = {'evaluate_every': 0, 'checkpoint_every': _NEVER, 'evaluation_episodes': 1}
_PER_STEP = 100                      # updates a transition: more than a learner can do
_NICE = 10                           # as the learner's


def steps_in_process(seconds: float, name: str, dataset: str,
                     environment: str = ENVIRONMENT) -> float:
    """Return the steps a second of fine-tuning in process that learns nothing."""
    stamps = []

    def should_stop() -> bool:
        stamps.append(time.perf_counter())
        return stamps[-1] - stamps[0] > seconds

    run = finetune(FinetuneSettings(
        str(CHECKPOINT), name, dataset, steps=_NEVER, device='cpu', update_ratio=0.0,
        environment=environment, **_QUIET), robot_config=ROBOT_CONFIG.read_text(),
        should_stop=should_stop)
    return len(read_experience(run / 'experience.log')) / (stamps[-1] - stamps[0])


def steps_over_topics(seconds: float, name: str, folder: Path) -> float:
    """Return the steps a second over topics that reach the disk of a learner that only gathers."""
    pause = threading.Event()
    with Session(folder, name, {**_QUIET, 'steps': 0, 'update_ratio': 0.0}, lockstep=True,
                 listen=False) as session:
        log = session.run_folder / 'experience.log'
        session.wait(lambda: log.exists() and len(read_experience(log)) > 50, 'experience')
        begin, before = time.perf_counter(), len(read_experience(log))
        pause.wait(seconds)
        size, elapsed = log.stat().st_size, time.perf_counter() - begin
        records = read_experience(log)
        behind = (log.stat().st_size - size) // records.itemsize  # what came while it was read
        return (len(records) - behind - before) / elapsed


def _elsewhere(script, *arguments) -> float:
    """Return the last line that a script prints, a number."""
    ended = subprocess.run([sys.executable, str(script), *map(str, arguments)], check=True,
                           capture_output=True, text=True, env=simulation_environment())
    return float(ended.stdout.splitlines()[-1])


def steps_of_bare_messages(seconds: float, dataset: str) -> float:
    """Return the steps a second of what is computed in process, with bare messages between."""
    return _elsewhere(Path(__file__).with_name('bare.py'), dataset, '--seconds', seconds)


def updates_offline(seconds: float, dataset: str) -> float:
    """Return the updates a second of offline training, in a process like the learner's."""
    return _elsewhere(__file__, '--worker', dataset, '--seconds', seconds)


def work(arguments) -> None:
    """Train offline for a while and print the updates a second."""
    os.nice(_NICE)
    torch.set_num_threads(max(1, min(torch.get_num_threads(),
                                     len(os.sched_getaffinity(0)) - 1)))
    marks = []

    def on_progress(step, metrics):
        marks.append((step, time.perf_counter()))

    config = config_of(read_header(CHECKPOINT), CHECKPOINT)
    with tempfile.TemporaryDirectory() as runs:
        os.environ['IQL_RUNS'] = runs
        train(TrainSettings(arguments.worker, 'offline', updates=_NEVER, device='cpu',
                            evaluate_every=_NEVER, checkpoint_every=_NEVER),
              dataclasses.replace(config, actor_schedule='constant'), on_progress=on_progress,
              should_stop=lambda: bool(marks) and (
                  marks[-1][1] - marks[0][1] > arguments.seconds))
    (first, begin), (last, end) = marks[0], marks[-1]
    print((last - first) / (end - begin))


def updates_of_learner(session: Session, seconds: float) -> float:
    """Return the updates a second of a learner to which experience comes."""
    listener = session.listener

    def next_mark():
        count = listener.count
        session.wait(lambda: listener.count > count, 'an acknowledgement')
        return listener.last.updates, time.perf_counter()

    next_mark()
    first, begin = next_mark()
    while True:
        last, end = next_mark()
        if end - begin > seconds:
            return (last - first) / (end - begin)


def compare_updates(arguments, folder: Path) -> tuple[list[float], list[float]]:
    """Return the updates a second of the learner and of offline training, a pair a round."""
    settings = {**_QUIET, 'steps': 0, 'update_ratio': _PER_STEP}
    learner, offline = [], []
    with Session(folder, 'updates', settings, lockstep=False) as session:
        session.wait(lambda: session.listener.updates > 0, 'the first update')
        for _ in range(arguments.rounds):
            learner.append(updates_of_learner(session, arguments.seconds))
            session.signal('finetune_node', signal.SIGSTOP)  # robot and simulator go on
            offline.append(updates_offline(arguments.seconds, prepare(folder)))
            session.signal('finetune_node', signal.SIGCONT)
    return learner, offline


def compare_steps(arguments, folder: Path) -> tuple[list[float], list[float], list[float]]:
    """Return the steps a second over topics, of bare messages and in process, for every round."""
    topics, bare, direct = [], [], []
    for number in range(arguments.rounds):
        dataset = prepare(folder)
        direct.append(steps_in_process(arguments.seconds, f'direct_{number}', dataset))
        topics.append(steps_over_topics(arguments.seconds, f'topics_{number}', folder))
        bare.append(steps_of_bare_messages(arguments.seconds, dataset))
    return topics, bare, direct


def main(argv=None) -> None:
    """Print and optionally write both ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=10.0, help='of each measurement')
    parser.add_argument('--json', type=Path)
    parser.add_argument('--worker', metavar='DATASET', help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.worker:
        work(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        steps = compare_steps(arguments, Path(folder))
        updates = compare_updates(arguments, Path(folder))
    topics, bare, direct = steps
    figures = {}
    for what, names, pairs in (
            ('steps', ('over_topics', 'in_process'), (topics, direct)),
            ('bare steps', ('bare_messages', 'in_process'), (bare, direct)),
            ('updates', ('learner', 'offline'), updates)):
        ratios = [ours / theirs for ours, theirs in zip(*pairs)]
        ours, theirs = (statistics.median(values) for values in pairs)
        figures[what] = {f'{names[0]}_per_s': ours, f'{names[1]}_per_s': theirs,
                         'ratio': statistics.median(ratios), 'ratios': ratios}
        print(f'{what}: {names[0].replace("_", " ")} {ours:.0f}/s, '
              f'{names[1].replace("_", " ")} {theirs:.0f}/s, ratio '
              f'{statistics.median(ratios):.2f} (median of {len(ratios)} rounds)')
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()

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
Bring about every fault at random moments, and see whether the robot stops, or goes on, as agreed.

A policy node, a robot, an observer that shares no code with the node, and bare timers run as
processes over real DDS. Every run is a line in the results; a rerun does what is missing.
"""

import argparse
import fnmatch
import os
from pathlib import Path
import random
import signal
import sys
import tempfile
import time
import traceback

from fault_campaign import (
    button_faults, clock_faults, gate_faults, learner_faults, loop_faults, people_faults,
    process_faults, stream_faults)
from fault_campaign.flow import Disturbed, Run
from fault_campaign.person import Refused
from fault_campaign.results import commit, Results
from fault_campaign.stage import environment, Stage

FAULTS = (*stream_faults.FAULTS, *gate_faults.FAULTS, *button_faults.FAULTS,
          *people_faults.FAULTS, *loop_faults.FAULTS, *learner_faults.FAULTS, *clock_faults.FAULTS,
          *process_faults.FAULTS)
TIMES = {50.0: 10, 5.0: 3, 100.0: 3}
_ROOT = Path(__file__).resolve().parents[1]
_ATTEMPTS = 4    # that a machine may spoil


def play(stage: Stage, fault, seed: str) -> dict:
    """Play a fault once; return what is kept of it."""
    draw = random.Random(seed)
    for attempt in range(1, _ATTEMPTS + 1):
        if stage.node is None or stage.node.ended or fault.lethal:
            stage.start_node(fault.node)
        run = Run(stage, draw)
        began = time.monotonic()
        try:
            try:
                fault.play(run)
            except Refused:
                run.look_for_a_trip()
                raise
            break
        except Disturbed as reason:
            run.notes.append(f'disturbed: {reason}')
            run.problems.append(f'disturbed {attempt} times: {reason}')
            stage.release_all()
        except Refused as refusal:
            run.problems.append(str(refusal))
            break
        except Exception as error:  # the campaign's own, or the robot's: the others go on
            run.problems.append(f'{type(error).__name__}: {error}')
            run.notes.append(traceback.format_exc()[-2000:])
            break
    safety = run.judge_safety()
    if run.problems:  # whatever it left behind shall not be the next one's
        stage.release_all()
        run.notes.append(stage.node.words()[-500:])
        stage.end_node()
    return {'reaction': run.reaction, 'late': run.late, 'words': run.words[:300],
            'problems': run.problems, 'notes': run.notes, 'safety': safety, 'attempts': attempt,
            'load': round(os.getloadavg()[0], 1),
            'seconds': round(time.monotonic() - began, 2)}


def missing(results: Results, faults, rate: float, times: int, again: bool) -> list[tuple]:
    """Return (fault, number) of the runs that are to be done at a rate."""
    return [(fault, number) for fault in faults for number in range(times)
            if not results.has(fault.name, rate, number, again)]


def sitting(folder: Path, results: Results, todo, rate: float, simulated: bool) -> None:
    """Do the runs of one rate and one kind of time."""
    stage, group = Stage(folder / f'{rate:g}_{simulated}', rate, simulated), None
    try:
        for fault, number in todo:
            if fault.group != group:
                stage.end_node()
                group = fault.group
            found = play(stage, fault, f'{fault.name} {rate} {number}')
            results.add(fault=fault.name, rate=rate, number=number, **found)
            print(line(fault, rate, number, found), flush=True)
    finally:
        stage.close()


def line(fault, rate: float, number: int, found: dict) -> str:
    """Return what is printed of a run."""
    reaction = '' if found['reaction'] is None else f'{1e3 * found["reaction"]:6.1f} ms'
    said = f'{"FAILED" if found["problems"] else "ok    "} {fault.name:24} {rate:3g} Hz ' \
           f'#{number:<2} {reaction:>9} ({found["seconds"]:.1f} s)'
    return '\n         '.join([said, *found['problems']])


def chosen(names) -> list:
    """Return the faults that are asked for, patterns allowed, in an order that saves starts."""
    faults = [fault for fault in FAULTS
              if not names or any(fnmatch.fnmatch(fault.name, name) for name in names)]
    if not faults:
        raise SystemExit(f'--only: got {", ".join(names)}; allowed: '
                         + ', '.join(fault.name for fault in FAULTS))
    groups = {}
    for fault in faults:
        groups.setdefault(fault.group, []).append(fault)
    return [fault for group in groups.values() for fault in group]


def main(argv=None) -> int:
    """Run what is missing, print the table when asked; return 1 when a run failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', action='append', metavar='NAME',
                        help='this fault, or those of a pattern; may be given again')
    parser.add_argument('--times', type=int, help='runs of each, in place of 10 at 50 Hz and 3')
    parser.add_argument('--rate', type=float, action='append', choices=tuple(TIMES))
    parser.add_argument('--results', type=Path, default=Path('build/faults.jsonl'))
    parser.add_argument('--again', action='store_true', help='also the runs that failed')
    parser.add_argument('--table', action='store_true', help='only print the table')
    parser.add_argument('--folder', type=Path, help='keep logs and files there')
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = Results(arguments.results, commit(_ROOT))
    rates = arguments.rate or list(TIMES)
    faults = chosen(arguments.only)
    if not arguments.table:
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.folder or Path(temporary)
            environment(folder)
            for rate in rates:
                todo = missing(results, faults, rate, arguments.times or TIMES[rate],
                               arguments.again)
                for simulated in (False, True):
                    part = [each for each in todo if each[0].simulated == simulated]
                    if part:
                        sitting(folder, results, part, rate, simulated)
    print(results.table(faults, TIMES))
    return 1 if any(run['problems'] for fault in faults for run in results.of(fault.name)) else 0


if __name__ == '__main__':
    sys.exit(main())

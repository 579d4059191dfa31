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

"""The results of runs: one JSON line a run, kept and resumed, and the table made of them."""

import collections
import json
from pathlib import Path
import statistics
import subprocess

_SAFETY = ('not finite', 'outside limits', 'too fast')


def commit(root: Path) -> str:
    """Return the commit that last changed what is tested; '-dirty' where it has changed since."""
    def git(*words):
        done = subprocess.run(('git', '-C', str(root), *words), capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ''
    found = git('log', '-1', '--format=%h', '--', 'iql_ros') or 'unknown'
    return found + ('-dirty' if git('status', '--porcelain', '--', 'iql_ros') else '')


class Results:
    """What is known of every run of one commit; the last line of a run counts."""

    def __init__(self, path: Path, code: str):
        """Read what there is."""
        self._path, self._code, self.runs = path, code, {}
        for line in path.read_text().splitlines() if path.exists() else ():
            run = json.loads(line)
            if run['commit'] == code:
                self.runs[run['fault'], run['rate'], run['number']] = run

    def has(self, fault: str, rate: float, number: int, passed: bool) -> bool:
        """Say whether a run is known; `passed`: and passed."""
        run = self.runs.get((fault, rate, number))
        return run is not None and not (passed and run['problems'])

    def add(self, **run) -> None:
        """Keep a run."""
        run['commit'] = self._code
        self.runs[run['fault'], run['rate'], run['number']] = run
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, 'a') as file:
            file.write(json.dumps(run) + '\n')

    def of(self, fault: str) -> list[dict]:
        """Return the runs of a fault."""
        return [run for key, run in sorted(self.runs.items()) if key[0] == fault]

    def table(self, faults, rates) -> str:
        """Return the Markdown table of all faults that were run."""
        heads = ['fault', 'what should happen', 'measured from', 'runs',
                 *(f'at {rate:g} Hz [ms]' for rate in rates), 'verdict']
        rows = [heads, ['---'] * len(heads)]
        for fault in faults:
            runs = self.of(fault.name)
            if runs:
                rows.append([fault.what, fault.should, fault.moment or '', str(len(runs)),
                             *(_figures(runs, rate) for rate in rates), _verdict(runs)])
        return '\n'.join(f'| {" | ".join(row)} |' for row in rows) + '\n\n' + self.summary()

    def summary(self) -> str:
        """Return what all runs come to."""
        runs = list(self.runs.values())
        counts = collections.Counter()
        for run in runs:
            counts.update(run.get('safety', {}))
        failed = sum(bool(run['problems']) for run in runs)
        unsafe = ', '.join(f'{counts[kind]} {kind}' for kind in _SAFETY)
        return (f'{len(runs)} runs on {self._code}, {failed} failed; {counts["commands"]} '
                f'commands were judged: {unsafe}.')


def _figures(runs, rate: float) -> str:
    """Return median and most of the reactions at a rate [ms]."""
    found = [1e3 * run['reaction'] for run in runs
             if run['rate'] == rate and run['reaction'] is not None]
    return f'{statistics.median(found):.0f} / {max(found):.0f}' if found else ''


def _verdict(runs) -> str:
    failed = sum(bool(run['problems']) for run in runs)
    return f'{failed} of {len(runs)} failed' if failed else 'held'

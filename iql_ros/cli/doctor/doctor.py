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

"""`iql-ros doctor`: every check in turn, a line each."""

import dataclasses

from iql_ros.cli.doctor import libraries, places, ros

CHECKS = (libraries.check_python, libraries.check_base, libraries.check_torch,
          libraries.check_data, libraries.check_sim, libraries.check_report,
          libraries.check_drawing, ros.check_ros, ros.check_discovery, places.check_datasets,
          places.check_runs)


NEEDS = {'train': 'data', 'evaluate': 'sim', 'run nodes': 'ros'}  # beside base and torch


def diagnose(quiet: bool) -> dict:
    """Check everything, printing a line at a time unless `quiet`; return the document."""
    findings = []
    for check in CHECKS:
        findings.append(check())
        if not quiet:
            print(findings[-1].line(), flush=True)
    states = {finding.name: finding.state for finding in findings}
    able = {work: states[needed] == 'ok' and 'broken' not in (states['base'], states['torch'])
            for work, needed in NEEDS.items()}
    if not quiet:
        print(closing_text(states, able))
    return {'ok': 'broken' not in states.values(), 'able': able,
            'checks': [dataclasses.asdict(finding) for finding in findings]}


def closing_text(states: dict[str, str], able: dict[str, bool]) -> str:
    """Return the last line: what this machine can do, and what is broken in order of mending."""
    parts = [f'{word} {", ".join(work for work in able if able[work] is can)}'
             for word, can in (('can', True), ('cannot', False)) if can in able.values()]
    broken = [name for name, state in states.items() if state == 'broken']
    parts.append(f'broken, to be mended in this order: {", ".join(broken)}' if broken else
                 'nothing is broken')
    return '; '.join(parts)

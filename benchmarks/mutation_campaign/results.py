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

"""What became of every case, and the bounds that it had to keep."""

import collections
import json
from pathlib import Path
import sys

SECONDS, MEMORY = 2.0, 100e6    # [s] of a core; [B] beyond what a sound input takes
FINE = ('loaded', 'refused', 'answered', 'not made')


class Kept:
    """Results by (kind, number), in a file that is gone on with."""

    def __init__(self, path: str | None, seed: int):
        """Read what is there of this seed."""
        self._path, self._seed, self.results = path, seed, {}
        if path and Path(path).exists():
            for line in Path(path).read_text().splitlines():
                result = json.loads(line)
                if result['seed'] == seed:
                    self.results[result['kind'], result['number']] = result

    def add(self, kind: str, number: int, **result) -> None:
        """Keep one, and print it when it is a fault."""
        result = {'kind': kind, 'number': number, 'seed': self._seed, **result}
        self.results[kind, number] = result
        if self._path:
            with open(self._path, 'a') as file:
                file.write(json.dumps(result) + '\n')
        if result['ended'] not in FINE:
            print(f'FAULT {kind} {number} ({result["done"]}): {result["ended"]}\n'
                  f'{result["text"][-3000:]}', flush=True)

    def table(self) -> int:
        """Print a row a kind; return how many faults there are."""
        kinds = collections.defaultdict(list)
        for (kind, _), result in sorted(self.results.items()):
            kinds[kind].append(result)
        faults = []
        print(f'\nseed {self._seed}\n{"":<14}{"cases":>7}{"loaded":>8}{"refused":>9}'
              f'{"answered":>10}{"faults":>8}{"most s":>8}{"most MB":>9}')
        for kind, results in kinds.items():
            ends = collections.Counter(result['ended'] for result in results)
            wrong = [result['number'] for result in results
                     if result['ended'] not in FINE]
            faults += wrong
            print(f'{kind:<14}{len(results) - ends["not made"]:>7}{ends["loaded"]:>8}'
                  f'{ends["refused"]:>9}{ends["answered"]:>10}{len(wrong):>8}'
                  f'{max(result["seconds"] for result in results):>8.2f}'
                  f'{max(result["memory"] for result in results) / 1e6:>9.0f}'
                  + (f'  faults: {wrong[:20]}' if wrong else ''))
        return len(faults)


def kinds_of(given, known) -> list[str]:
    """Return the kinds that are asked for; ends the program for one that is none."""
    if given.only and given.only not in known:
        print(f"--only: got '{given.only}'; allowed: {', '.join(known)}", file=sys.stderr)
        sys.exit(2)
    return [given.only] if given.only else list(known)

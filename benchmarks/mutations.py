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
Read mutated files, and send mutated messages to live nodes: right, or refused in one line.

    mutations.py files [--times N] [--seed N] [--only KIND] [--keep FILE] [--again NUMBER]
    mutations.py live [--times N] [--seed N] [--only KIND] [--keep FILE]

A file is read in a forked worker that is watched: one line of refusal or sound values, within 2 s
of a core and 100 MB beyond what a sound one takes, nothing run and nothing half written. What went
wrong is printed with its number, which makes it again together with the seed. The results of
--keep are gone on with.

Messages and service calls go to a policy node that drives a robot in real time and to its learner,
some at a time: after each lot both must answer a service within 2 s and say how they are, have
printed no traceback and taken no more than 100 MB. A lot after which they do not is sent again to
new nodes, one by one.
"""

import argparse
from pathlib import Path
import sys
import tempfile

from mutation_campaign.results import Kept


def main() -> int:
    """Run a part; return 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('part', choices=('files', 'live'))
    parser.add_argument('--times', type=int, default=500, help='cases in all')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', metavar='KIND')
    parser.add_argument('--again', type=int, metavar='NUMBER', help='this one, and show it')
    parser.add_argument('--keep', metavar='FILE', help='for the results, JSON lines')
    given = parser.parse_args()
    kept = Kept(given.keep, given.seed)
    with tempfile.TemporaryDirectory() as folder:
        if given.part == 'files':
            from mutation_campaign.files import run
            run(Path(folder), given, kept)
        else:
            from mutation_campaign.messages import run
            run(Path(folder), given, kept)
    return int(kept.table() > 0)


if __name__ == '__main__':
    sys.exit(main())

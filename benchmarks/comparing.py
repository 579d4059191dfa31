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
How right `iql-ros compare` is: drive by every policy that it judged, and set truth beside claim.

    iql-ros compare RUN... --json > compared.json
    python benchmarks/comparing.py compared.json --env ID [--episodes 100] [--truth FILE.json]
                                   [--plot FILE.png]

Prints rank correlations (Spearman) of claim and truth, the regret of what was recommended, and
whether a way of choosing was recommended that is truly worse than the mean of its checkpoint.
What is in the file of truths is not driven again.
"""

import argparse
import json
from pathlib import Path

from choosing import Drive, drive
import numpy as np

from iql_ros import pages
from iql_ros.comparison.verdict import MOST_STRANGE
from iql_ros.files import write_atomic
from iql_ros.parallel import mapping

_SEED = 10_000
_WORSE = 2.0     # standard errors of the paired difference
_COLOURS = {'mean': pages.DATA, 'weighted': pages.POLICY, 'best': pages.CLONING}


def key(policy: dict) -> str:
    """Return the name of a policy in the file of truths."""
    return f'{Path(policy["checkpoint"]).resolve()}:{policy["choice"]}'


def find_truths(policies: list[dict], environment: str, episodes: int, path) -> dict:
    """Return returns and successes of every policy, driven where the file has none."""
    truths = json.loads(Path(path).read_text()) if path and Path(path).exists() else {}
    left = [policy for policy in policies if key(policy) not in truths]
    work = [Drive(policy['checkpoint'], policy['choice'], environment, episodes, _SEED)
            for policy in left]
    with mapping('here', None, None) as each:
        for policy, driven in zip(left, each(drive, work)):
            truths[key(policy)] = driven
            print(f'{policy["name"]} ({policy["choice"]}): return '
                  f'{np.mean(driven["returns"]):.2f}', flush=True)
            if path:
                write_atomic(path, json.dumps(truths))
    return truths


def spearman(first, second) -> float:
    """Return the rank correlation of two rows of numbers, ties sharing their ranks."""
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values) -> np.ndarray:
    values = np.asarray(values)
    return np.array([(values < value).sum() + (values == value).sum() / 2 for value in values])


def score(driven: dict) -> float:
    """Return what counts: success where it is known, else the return."""
    known = None not in driven['successes']
    return float(np.mean(driven['successes' if known else 'returns']))


def print_agreement(label: str, policies: list[dict], truths: dict) -> None:
    """Print how a group of policies was ranked, and how good its first is."""
    claims = [policy['value'] for policy in policies]
    true = [score(truths[key(policy)]) for policy in policies]
    returns = [float(np.mean(truths[key(policy)]['returns'])) for policy in policies]
    first = true[int(np.argmax(claims))]
    print(f'{label}: {len(policies)} policies, Spearman {spearman(claims, true):.2f} (returns '
          f'{spearman(claims, returns):.2f}); the one of the highest claim has {first:.4g}, the '
          f'best {max(true):.4g}')


def print_ways(policies: list[dict], truths: dict) -> None:
    """Print, for every checkpoint, whether another way than its mean was recommended rightly."""
    counts = {'recommended': 0, 'truly worse': 0, 'truly better': 0, 'not told': 0}
    by_checkpoint = {}
    for policy in policies:
        by_checkpoint.setdefault(policy['checkpoint'], {})[policy['choice']] = policy
    for ways in by_checkpoint.values():
        mean = ways.get('mean')
        for way in (each for kind, each in ways.items() if mean and kind != 'mean'):
            if not way['beats_mean'] or way['unknown'] > MOST_STRANGE:
                counts['not told'] += 1
                continue
            away = (np.array(truths[key(way)]['returns'])
                    - np.array(truths[key(mean)]['returns']))
            error = away.std(ddof=1) / np.sqrt(len(away))
            counts['recommended'] += 1
            counts['truly worse'] += away.mean() < -_WORSE * error
            counts['truly better'] += away.mean() > _WORSE * error
    print('ways of choosing beside the mean: '
          + ', '.join(f'{count} {name}' for name, count in counts.items()))


def draw(path, policies: list[dict], truths: dict) -> None:
    """Plot truth over claim."""
    figure, ax = pages.new_figure(height=3.6)
    for kind, colour in _COLOURS.items():
        chosen = [policy for policy in policies if policy['choice'] == kind]
        ax.plot([policy['value'] for policy in chosen],
                [score(truths[key(policy)]) for policy in chosen], 'o', color=colour,
                markersize=5, alpha=0.7, label=kind)
    ax.set(xlabel='comes to, as told by the recordings', ylabel='success or return, driven')
    pages.figure_legend(figure)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Drive what was not driven, and print how claims and truths agree."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('compared')
    parser.add_argument('--env', required=True)
    parser.add_argument('--episodes', type=int, default=100)
    parser.add_argument('--truth')
    parser.add_argument('--plot')
    options = parser.parse_args()
    compared = json.loads(Path(options.compared).read_text())
    policies = compared['policies']
    truths = find_truths(policies, options.env, options.episodes, options.truth)
    told = compared['told']
    print('replayed, held-out returns come out to ' + ('?' if told is None else f'{told:.0%}'))
    print_agreement('all', policies, truths)
    print_agreement('the mean alone', [policy for policy in policies
                                       if policy['choice'] == 'mean'], truths)
    print_ways(policies, truths)
    for line in compared['words']:
        print(line)
    if options.plot:
        draw(options.plot, policies, truths)


if __name__ == '__main__':
    main()

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

"""Which way of choosing suits a checkpoint: measured in an environment, or told by recordings."""

import math
from pathlib import Path

import numpy as np

from iql_ros.comparison.recordings import Candidate, Judged, Recordings
from iql_ros.comparison.verdict import difference, verdict
from iql_ros.files import write_atomic
from iql_ros.learner.choice import CHOICES
from iql_ros.runs.checkpoint import choice_of, read_header, write_choice
from iql_ros.runs.evaluate import Evaluator
from iql_ros.runs.policy import load_policy

_SEED = 2_000_000   # of the starts: far from those that are reported, and from the periodic ones
_SURE = 2.0         # standard errors by which another way must be better than the mean


def pick_choice(path, evaluator: Evaluator, episodes: int, on_episode=None, stopped=None) -> str:
    """
    Let a checkpoint choose as suits it best; return what was seen, in a line.

    Every way drives from the same start poses. Another than the mean is taken only where its
    returns are higher by more than two standard errors of the paired difference, weighted before
    best where these two cannot be told apart.

    Args:
        path: The file; its header says from now on how it chooses, and by what that was picked.
        evaluator: Its environment.
        episodes: Of each way, at least 2.
        on_episode: Told (episodes done, of how many).
        stopped: Asked after every episode; True: nothing is picked, and '' comes back.

    """
    policy, returns = load_policy(path), {}
    for number, kind in enumerate(CHOICES):
        policy.choice = policy.choice.but(kind)
        returns[kind] = []
        for result in evaluator.run(policy, episodes, _SEED):
            returns[kind].append(result.return_)
            if on_episode:
                on_episode(number * episodes + len(returns[kind]), len(CHOICES) * episodes)
            if stopped and stopped():
                return ''
    picked, measured = _pick(returns)
    choice = policy.choice.but(picked)
    write_choice(path, choice, measured)
    return _in_words(str(choice), measured)


def pick_by_recordings(path, recordings: Recordings, stopped=None) -> str:
    """
    Let a checkpoint choose as recordings say that it suits it best; return that in a line.

    Another way than the mean is taken only where they tell that it is better, see verdict.

    Args:
        path: The file; see pick_choice.
        recordings: What it learned from.
        stopped: Asked after every way; True: nothing is picked, and '' comes back.

    """
    policy, judged = load_policy(path, 'cpu'), []
    for kind in CHOICES:
        choice = policy.choice.but(kind)
        judged.append(recordings.judge(Candidate(path.name, path, policy, choice)))
        if stopped and stopped():
            return ''
    found = verdict(judged, recordings.told)
    choice = found.taken.candidate.choice if found.taken else policy.choice.but('mean')
    write_choice(path, choice, {'told': recordings.told, 'ways': {
        each.candidate.choice.kind: _told(each, judged[0]) for each in judged}})
    return f'acts by the {choice}; judged by the recordings: {" ".join(found.lines)}'


def _told(one: Judged, mean: Judged) -> dict:
    gain, error = difference(one, mean)
    return {'return_mean': float(one.claim.values.mean()), 'gain': gain, 'gain_error': error,
            'unknown': one.claim.strange}


def copy_choice(source, target) -> None:
    """Let a checkpoint choose as another of the same weights was found to."""
    header = read_header(source)
    write_choice(target, choice_of(header), header['choice']['measured'])


def keep_the_better(newest: Path, best: Path) -> str:
    """
    Let the better of a run's newest checkpoint and the best so far be the best.

    By what was measured of both when their ways of choosing were picked, from the same starts:
    more episodes than an evaluation while it trains has, and by how they act. Returns that in a
    line, '' where there is nothing to compare.
    """
    if not best.exists() or not (is_picked(newest) and is_picked(best)):
        return ''
    headers = [read_header(path) for path in (newest, best)]
    if headers[0]['step'] == headers[1]['step'] or headers[0]['evaluation'] is None:
        return ''
    ours, theirs = map(_measured_return, headers)
    if ours > theirs:
        write_atomic(best, newest.read_bytes())
    return (f'from these starts the newest returns {ours:.2f}, the best by the evaluations '
            f'{theirs:.2f}: {best.name} is {"the newest now" if ours > theirs else "the better"}')


def _measured_return(header: dict) -> float:
    choice = header['choice']
    return choice['measured']['ways'][choice['choice']]['return_mean']


def is_picked(path) -> bool:
    """Say whether a checkpoint's choice was measured."""
    return bool(read_header(path).get('choice', {}).get('measured'))


def _pick(returns: dict) -> tuple[str, dict]:
    """Return the way to take, and the figures of all."""
    mean, picked = returns['mean'], 'mean'
    measured = {'episodes': len(mean), 'seed': _SEED, 'ways': {}}
    for kind in CHOICES:
        gain, error = _paired(returns[kind], mean)
        measured['ways'][kind] = {'return_mean': float(np.mean(returns[kind])), 'gain': gain,
                                  'gain_error': error}
        gain, error = _paired(returns[kind], returns[picked])
        if gain > _SURE * error and not np.allclose(returns[kind], returns[picked]):
            picked = kind
    return picked, measured


def _paired(returns, others) -> tuple[float, float]:
    """Return mean and standard error of the difference between episodes of the same starts."""
    difference = np.array(returns) - np.array(others)
    return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))


def _in_words(choice: str, measured: dict) -> str:
    ways = ', '.join(
        f'{kind} {figures["return_mean"]:.2f}'
        + ('' if kind == 'mean' else f' ({figures["gain"]:+.2f} +- {figures["gain_error"]:.2f})')
        for kind, figures in measured['ways'].items())
    return f'acts by the {choice}; returns over {measured["episodes"]} episodes: {ways}'

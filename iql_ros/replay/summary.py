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

"""A replay in figures, ready for JSON: differences, the gate, the training data, the critic."""

import collections

import numpy as np

from iql_ros.replay.replay import Replay

MOMENTS = 5          # at which it differs most, apart from each other
APART = 2.0          # [s] by
_LEAST_APART = 10    # [ticks] and
_REASONS = 10        # of trips; the numbers in them make many of one
_QUANTILES = (50, 95)


def summarise(replay: Replay) -> dict:
    """
    Return what a replay comes to; differences are of what would have been sent.

    Keys: ticks, episodes, bags (see `_bag`), operated (share of ticks), same (share of ticks that
    agree to the bit), distance {median, p95} (see `distances`), actions (see `_action`), gated
    (share of ticks of which the gate changed something), trips {ticks, reasons [{reason, ticks,
    bag, seconds}]}, outside {ticks, values} or None, critic {better, worse, mean} or None,
    moments (see `_moment`).
    """
    away = distances(replay)
    return {'ticks': len(replay), 'episodes': int(np.count_nonzero(replay.tick == 0)),
            'bags': [_bag(replay, index, away) for index in range(len(replay.bags))],
            'operated': _share(replay.operated),
            'same': _share((replay.sent == replay.commanded).all(axis=1)),
            'distance': dict(zip(('median', 'p95'), _quantiles(away))),
            'actions': [_action(replay, index, name)
                        for index, name in enumerate(replay.interface.action_names)],
            'gated': _share(replay.gated.any(axis=1)), 'trips': _trips(replay),
            'outside': None if replay.outside is None else _outside(replay),
            'critic': None if replay.advantage is None else _critic(replay),
            'moments': [_moment(replay, row, away) for row in moments(replay, away)]}


def differences(replay: Replay) -> np.ndarray:
    """Return `sent` less `commanded` as shares of the actions' ranges, (N, action_dim)."""
    scaling = replay.interface.action_scaling
    return (replay.sent - replay.commanded) / (scaling.high - scaling.low)


def distances(replay: Replay) -> np.ndarray:
    """Return the largest difference of every tick as a share of its action's range, (N,)."""
    return np.abs(np.nan_to_num(differences(replay))).max(axis=1)


def moments(replay: Replay, away: np.ndarray) -> list[int]:
    """Return the rows of the largest distances (N,), the largest first, apart from each other."""
    apart = max(_LEAST_APART, round(APART * replay.interface.control_rate))
    left, found = np.where(away > 0, away, -1.0), []
    while len(found) < MOMENTS and left.max() > 0:
        row = int(np.argmax(left))
        found.append(row)
        left[max(0, row - apart):row + apart + 1] = -1.0
    return found


def _share(mask: np.ndarray) -> float:
    return float(mask.mean())


def _quantiles(values: np.ndarray) -> list[float]:
    return np.percentile(values, _QUANTILES).tolist()


def _bag(replay: Replay, index: int, away: np.ndarray) -> dict:
    """Return file, ticks, episodes and mean distance of a bag; of one without a tick None."""
    rows = replay.bag == index
    return {'file': replay.bags[index], 'ticks': int(rows.sum()),
            'episodes': int(np.count_nonzero(replay.tick[rows] == 0)),
            'distance': float(away[rows].mean()) if rows.any() else None}


def _action(replay: Replay, index: int, name: str) -> dict:
    """
    Return the figures of one action, physical units.

    Keys: name, low, high, commanded and sent {minimum, maximum}, difference {mean (of its size),
    p95, bias (would be sent more than was)}, opposite (share of the ticks at which both are more
    than a twentieth of the range from 0, on other sides), gated (share of ticks).
    """
    scaling = replay.interface.action_scaling
    low, high = float(scaling.low[index]), float(scaling.high[index])
    commanded, sent = replay.commanded[:, index], replay.sent[:, index]
    away = (sent - commanded)[~np.isnan(sent)]
    least = 0.05 * (high - low)
    strong = (np.abs(commanded) > least) & (np.abs(sent) > least)
    return {'name': name, 'low': low, 'high': high, 'commanded': _extremes(commanded),
            'sent': _extremes(sent[~np.isnan(sent)]),
            'difference': {'mean': float(np.abs(away).mean()) if len(away) else None,
                           'p95': _quantiles(np.abs(away))[1] if len(away) else None,
                           'bias': float(away.mean()) if len(away) else None},
            'opposite': _share(strong & (np.sign(commanded) != np.sign(sent))),
            'gated': _share(replay.gated[:, index])}


def _extremes(values: np.ndarray) -> dict:
    return {'minimum': float(values.min()) if len(values) else None,
            'maximum': float(values.max()) if len(values) else None}


def _trips(replay: Replay) -> dict:
    """Return how many ticks would have tripped, and the most frequent reasons, when first."""
    counts, first = collections.Counter(), {}
    for row in np.flatnonzero(replay.trip != ''):
        reason = str(replay.trip[row])
        counts[reason] += 1
        first.setdefault(reason, row)
    return {'ticks': counts.total(), 'reasons': [
        {'reason': reason, 'ticks': count, **_when(replay, first[reason])}
        for reason, count in counts.most_common(_REASONS)]}


def _when(replay: Replay, row: int) -> dict:
    return {'bag': replay.bags[replay.bag[row]], 'seconds': float(replay.seconds[row])}


def _outside(replay: Replay) -> dict:
    """Return the share of ticks with any value outside, and of each that ever is the figures."""
    low, high, deviation = replay.trained_on
    seen, names = replay.observations, replay.interface.observation_names
    beyond = np.maximum(np.maximum(low - seen, seen - high), 0.0)
    shares = replay.outside.mean(axis=0)
    values = [{'name': names[index], 'ticks': float(shares[index]), 'low': float(low[index]),
               'high': float(high[index]), **_extremes(seen[:, index]),
               'farthest': float(beyond[:, index].max() / deviation[index])}
              for index in np.argsort(-shares, kind='stable') if shares[index]]
    return {'ticks': _share(replay.outside.any(axis=1)), 'values': values}


def _critic(replay: Replay) -> dict:
    known = replay.advantage[~np.isnan(replay.advantage)]
    return {'better': _share(known > 0), 'worse': _share(known < 0),
            'mean': float(known.mean())} if len(known) else {
        'better': 0.0, 'worse': 0.0, 'mean': None}


def _moment(replay: Replay, row: int, away: np.ndarray) -> dict:
    """Return bag, seconds, episode, tick, distance, commanded and sent of a row."""
    return {**_when(replay, row), 'episode': int(replay.episode[row]),
            'tick': int(replay.tick[row]), 'distance': float(away[row]),
            'commanded': replay.commanded[row].tolist(), 'sent': replay.sent[row].tolist()}

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
Values of a bag's episodes far outside of all others: left out where that is allowed by name.

Without a word those that are absurd are refused; others may be rare and true, as a collision is.
"""

import numpy as np

from iql_ros.data.bags.files import Allowed
from iql_ros.data.oddities import ABSURD, distances, FAR, range_text
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.transitions import Episode


def leave_out(episodes: list[Episode], ends: list[dict], interface: RobotInterface,
              allowed: Allowed, start: float) -> tuple[list[Episode], list[dict], dict]:
    """
    Return episodes and their ends without the transitions that a value far outside is in.

    An episode goes on as another after what was left out.

    Args:
        episodes: Of one bag.
        ends: Of every episode, see EpisodeCutter.
        interface: Of the robot.
        allowed: What a person allowed: `outliers` leaves out, `keep-outliers` keeps.
        start: Of the bag, on the clock of the ticks [s].

    Returns:
        The episodes, their ends, and how many transitions were left out, by reason.

    Raises:
        InputError: for absurd values about which nothing was said, by topic, field, time, count.

    """
    if not episodes:
        return episodes, ends, {}
    wrong, dropped = _wrong(episodes, ends, interface, allowed, start)
    if 'keep-outliers' in allowed or not any(rows.any() for rows in wrong):
        return episodes, ends, {}
    kept, kept_ends = [], []
    for episode, end, rows in zip(episodes, ends, wrong):
        for part in _runs(~rows):
            kept.append(_part(episode, part))
            kept_ends.append(_end(kept[-1], end, part, len(rows), interface))
    return kept, kept_ends, dropped


def _wrong(episodes, ends, interface, allowed, start) -> tuple[list[np.ndarray], dict]:
    """Return of every episode which transitions (T,) hold a value far outside; say so."""
    lengths = [len(episode.actions) for episode in episodes]
    seen = np.concatenate([episode.observations for episode in episodes])
    done = np.concatenate([episode.actions for episode in episodes])
    least = FAR if 'outliers' in allowed else ABSURD
    far = distances(seen) > least, distances(done) > least
    times = [end['start'] - start + np.arange(length + 1) / interface.control_rate
             for end, length in zip(ends, lengths)]
    at_observations, at_actions = np.concatenate(times), np.concatenate(
        [part[:-1] for part in times])
    for what, names, values, mask, at in (
            ('observation', interface.observation_names, seen, far[0], at_observations),
            ('action', interface.action_names, done, far[1], at_actions)):
        for column in np.flatnonzero(mask.any(axis=0)):
            _say(what, names[column], values[:, column], mask[:, column], at, allowed)
    rows_seen = np.split(far[0].any(axis=1), np.cumsum([n + 1 for n in lengths])[:-1])
    rows_done = np.split(far[1].any(axis=1), np.cumsum(lengths)[:-1])
    wrong = [seen[:-1] | seen[1:] | done for seen, done in zip(rows_seen, rows_done)]
    return wrong, {'with a value far outside of all others': int(sum(map(np.sum, wrong)))}


def _say(what: str, name: str, values, mask, seconds, allowed: Allowed) -> None:
    low, high = range_text(values[~mask].min(), values[~mask].max())
    farthest = values[mask][np.argmax(np.abs(values[mask]))]
    far = 'far' if 'outliers' in allowed else 'absurdly far'
    text = (f"{what} '{name}' lies {far} outside of its other values ({low} to {high}), "
            f'as far as {farthest:.4g}, at {mask.sum():,} of {len(mask):,} '
            f'ticks, first {seconds[np.argmax(mask)]:.3f} s after the start of the bag')
    if 'keep-outliers' in allowed:
        allowed.note(f'{text}: kept')
    else:
        allowed.refuse('outliers', text)


def _runs(good: np.ndarray) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good, [0]])))
    return [slice(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2])]


def _part(episode: Episode, part: slice) -> Episode:
    truncations = episode.truncations[part].copy()
    truncations[-1] = not episode.terminations[part.stop - 1]
    operated = episode.interventions
    if operated is not None:
        operated = operated[part] if operated[part].any() else None
    return Episode(episode.observations[part.start:part.stop + 1], episode.actions[part],
                   episode.rewards[part], episode.terminations[part], truncations, operated)


def _end(episode: Episode, end: dict, part: slice, steps: int, interface) -> dict:
    return {'start': end['start'] + part.start / interface.control_rate,
            'steps': len(episode.actions), 'return': float(episode.rewards.sum()),
            'ended': end['ended'] if part.stop == steps else 'a value far outside',
            'number': end['number']}

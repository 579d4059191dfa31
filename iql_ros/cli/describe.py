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

"""What `iql-ros inspect` says of a dataset or a checkpoint: plain lines for a terminal."""

import numpy as np
import yaml

from iql_ros.data.datasets import Dataset, range_text
from iql_ros.data.minari_store import Recording
from iql_ros.robot.robot_interface import parse_robot_interface, RobotInterface
from iql_ros.robot.safety import Gate

_BINS, _BAR = 10, 40


def describe_dataset(recording: Recording, dataset: Dataset) -> str:
    """Return what a dataset is, its sizes, spaces, returns and the robot interface inside."""
    lengths, returns = dataset.episode_lengths, dataset.returns()
    ends = dataset.episode_starts[1:] - 1
    observation_dim, action_dim = dataset.observations.shape[1], dataset.actions.shape[1]
    keys = f' ({", ".join(dataset.observation_keys)})' if dataset.observation_keys else ''
    rows = [
        ('dataset', dataset.name),
        ('environment', dataset.environment or 'none known'),
        ('transitions', f'{len(dataset.rewards):,} in {len(lengths):,} episodes'),
        ('observation', f'{observation_dim} values{keys}'),
        ('action', f'{action_dim} values; -1 and +1 mean '
                   + range_text(dataset.action_low, dataset.action_high)),
        ('clipped', f'{dataset.clipped:.2%} of the action values lay outside of that'),
        ('episodes', f'{lengths.min()} to {lengths.max()} steps, median {np.median(lengths):g}; '
                     f'{dataset.terminations[ends].sum():,} terminated, '
                     f'{dataset.truncations[ends].sum():,} truncated'),
        ('returns', f'{returns.min():.4g} to {returns.max():.4g}, mean {returns.mean():.4g}, '
                    f'standard deviation {returns.std():.4g}'),
        *[('', line) for line in histogram_lines(returns)]]
    flagged = sum(episode.interventions.sum() for episode in recording.episodes
                  if episode.interventions is not None)
    if flagged:
        rows.append(('intervention', f'an operator had control in {flagged:,} of the steps'))
    if dataset.robot_config:
        interface = parse_robot_interface(dataset.robot_config, f'{dataset.name}: robot_config')
        rows += [*_robot_rows(interface), ('gate', _beyond_gate(recording, interface))]
    for source in dataset.metadata.get('iql_ros', {}).get('sources', []):
        rows.append(('made from', f'{source["file"]} (sha256 {source["sha256"][:12]})'))
    rows += [('note', note) for note in dataset.notes]
    return _lines([*rows, ('fingerprint', dataset.fingerprint[:16])])


def histogram_lines(values: np.ndarray) -> list[str]:
    """Return a histogram in text, a bin a line."""
    counts, edges = np.histogram(values, bins=_BINS if np.ptp(values) > 0 else 1)
    labels = [f'{low:.4g} to {high:.4g}' for low, high in zip(edges[:-1], edges[1:])]
    width = max(map(len, labels))
    return [f'{label:>{width}} {"#" * round(_BAR * count / counts.max()):<{_BAR}} {count:,}'
            for label, count in zip(labels, counts)]


def _beyond_gate(recording: Recording, interface: RobotInterface) -> str:
    gate = Gate(interface)
    actions = np.concatenate([episode.actions for episode in recording.episodes])
    if actions.shape[1] != interface.action_dim:
        return f'the actions have {actions.shape[1]} values, the interface {interface.action_dim}'
    outside = (actions < gate.limit_low) | (actions > gate.limit_high)
    return f'{outside.mean():.2%} of the action values lie outside its limit'


def _robot_rows(interface: RobotInterface) -> list[tuple[str, str]]:
    scaling = interface.action_scaling
    return [('robot', f'{interface.robot}, {interface.control_rate:g} Hz, contract '
                      f'{interface.contract_hash[:12]}'),
            *[('  observation', name) for name in interface.observation_names],
            *[('  action', f'{name} [{low:.4g}, {high:.4g}]') for name, low, high
              in zip(interface.action_names, scaling.low, scaling.high)]]


def describe_checkpoint(path) -> str:
    """
    Return what a checkpoint is: its networks, its header and the robot interface inside.

    Raises:
        InputError: for a file that is damaged or no checkpoint.

    """
    from iql_ros.runs.checkpoint import read_header
    header = read_header(path)
    rows = [('checkpoint', str(path))]
    if header.get('online'):
        rows.append(('fine-tuned', _fine_tuning(header)))
    rows += [(network, f'{count:,} values') for network, count in _network_sizes(path).items()]
    for key, value in header.items():
        if key in ('robot_config', 'online'):
            continue
        lines = [str(value)]
        if isinstance(value, dict):
            lines = yaml.safe_dump(value, default_flow_style=None, sort_keys=False).splitlines()
        rows += [(key, lines[0]), *[('', line) for line in lines[1:]]]
    if header['robot_config']:
        rows += _robot_rows(parse_robot_interface(header['robot_config'], f'{path}: header'))
    else:
        rows.append(('robot', 'none: unbound (train --robot-config YAML binds it)'))
    return _lines(rows)


def _fine_tuning(header: dict) -> str:
    online = header['online']
    first = online['first_step']
    averaged = header['training']['actor_average']
    return (f'on {online["position"]:,} transitions of its own, by {header["step"] - first:,} '
            f'updates after {first:,} offline; acts by '
            + ('an average of the actor' if averaged else 'the actor'))


def _network_sizes(path) -> dict[str, int]:
    from safetensors import safe_open
    sizes = {}
    with safe_open(path, 'np') as file:
        for name in file.keys():
            network = name.partition('.')[0]
            count = int(np.prod(file.get_slice(name).get_shape()))
            sizes[network] = sizes.get(network, 0) + count
    return sizes


def _lines(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return '\n'.join(f'{name:<{width}}  {text}'.rstrip() for name, text in rows)

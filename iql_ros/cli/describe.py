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

"""What `iql-ros inspect` says of a dataset or a checkpoint: facts, and lines for a terminal."""

import numpy as np
import yaml

from iql_ros.data.datasets import Dataset, range_text
from iql_ros.data.minari_store import Recording
from iql_ros.robot.gate_rules import gate_rules
from iql_ros.robot.robot_interface import parse_robot_interface, RobotInterface

_BINS, _BAR = 10, 40


def dataset_facts(recording: Recording, dataset: Dataset) -> dict:
    """Return what a dataset is; json_output.INSPECT_KEYS says what each key holds."""
    lengths, ends = dataset.episode_lengths, dataset.episode_starts[1:] - 1
    interface = None
    if dataset.robot_config:
        interface = parse_robot_interface(dataset.robot_config, f'{dataset.name}: robot_config')
    sources = dataset.metadata.get('iql_ros', {}).get('sources', [])
    return {
        'kind': 'dataset', 'name': dataset.name, 'environment': dataset.environment,
        'transitions': len(dataset.rewards), 'episodes': len(lengths),
        'observation': {'values': dataset.observations.shape[1],
                        'keys': list(dataset.observation_keys)},
        'action': {'values': dataset.actions.shape[1], 'low': dataset.action_low,
                   'high': dataset.action_high},
        'clipped': dataset.clipped,
        'episode_length': {'minimum': lengths.min(), 'maximum': lengths.max(),
                           'median': np.median(lengths)},
        'terminated': dataset.terminations[ends].sum(),
        'truncated': dataset.truncations[ends].sum(),
        'returns': _returns_facts(dataset.returns()),
        'interventions': sum(int(episode.interventions.sum()) for episode in recording.episodes
                             if episode.interventions is not None),
        'robot': interface and _robot_facts(interface),
        'beyond_gate': interface and _beyond_gate(recording, interface),
        'sources': [{key: source[key] for key in ('file', 'sha256')} for source in sources],
        'notes': list(dataset.notes), 'fingerprint': dataset.fingerprint}


def _returns_facts(returns: np.ndarray) -> dict:
    return {'minimum': returns.min(), 'maximum': returns.max(), 'mean': returns.mean(),
            'standard_deviation': returns.std(), 'histogram': histogram(returns)}


def histogram(values: np.ndarray) -> dict:
    """Return how many values lie between which edges; one bin where all are equal."""
    counts, edges = np.histogram(values, bins=_BINS if np.ptp(values) > 0 else 1)
    return {'counts': counts, 'edges': edges}


def _beyond_gate(recording: Recording, interface: RobotInterface) -> float | None:
    """Return the share of action values that the gate would change; None: other dimensions."""
    rules = gate_rules(interface)
    actions = np.concatenate([episode.actions for episode in recording.episodes])
    if actions.shape[1] != interface.action_dim:
        return None
    return float(np.mean((actions < rules.low) | (actions > rules.high)))


def _robot_facts(interface: RobotInterface) -> dict:
    scaling = interface.action_scaling
    return {'robot': interface.robot, 'control_rate': interface.control_rate,
            'contract': interface.contract_hash,
            'observation': list(interface.observation_names),
            'action': [{'name': name, 'low': float(low), 'high': float(high)} for name, low, high
                       in zip(interface.action_names, scaling.low, scaling.high)]}


def dataset_text(facts: dict) -> str:
    """Return the facts of a dataset in lines: sizes, spaces, returns and the robot inside."""
    observation, action, length = (facts[key] for key in (
        'observation', 'action', 'episode_length'))
    keys = f' ({", ".join(observation["keys"])})' if observation['keys'] else ''
    returns = facts['returns']
    rows = [
        ('dataset', facts['name']),
        ('environment', facts['environment'] or 'none known'),
        ('transitions', f'{facts["transitions"]:,} in {facts["episodes"]:,} episodes'),
        ('observation', f'{observation["values"]} values{keys}'),
        ('action', f'{action["values"]} values; -1 and +1 mean '
                   + range_text(action['low'], action['high'])),
        ('clipped', f'{facts["clipped"]:.2%} of the action values lay outside of that'),
        ('episodes', f'{length["minimum"]} to {length["maximum"]} steps, median '
                     f'{length["median"]:g}; {facts["terminated"]:,} terminated, '
                     f'{facts["truncated"]:,} truncated'),
        ('returns', f'{returns["minimum"]:.4g} to {returns["maximum"]:.4g}, mean '
                    f'{returns["mean"]:.4g}, standard deviation '
                    f'{returns["standard_deviation"]:.4g}'),
        *[('', line) for line in histogram_lines(**returns['histogram'])]]
    if facts['interventions']:
        rows.append(('intervention', 'an operator had control in '
                                     f'{facts["interventions"]:,} of the steps'))
    if facts['robot']:
        rows += [*_robot_rows(facts['robot']), ('gate', _gate_text(facts))]
    for source in facts['sources']:
        rows.append(('made from', f'{source["file"]} (sha256 {source["sha256"][:12]})'))
    rows += [('note', note) for note in facts['notes']]
    return _lines([*rows, ('fingerprint', facts['fingerprint'][:16])])


def histogram_lines(counts, edges) -> list[str]:
    """Return a histogram in text, a bin a line."""
    labels = [f'{low:.4g} to {high:.4g}' for low, high in zip(edges[:-1], edges[1:])]
    width = max(map(len, labels))
    return [f'{label:>{width}} {"#" * round(_BAR * count / max(counts)):<{_BAR}} {count:,}'
            for label, count in zip(labels, counts)]


def _gate_text(facts: dict) -> str:
    if facts['beyond_gate'] is None:
        return (f'the actions have {facts["action"]["values"]} values, the interface '
                f'{len(facts["robot"]["action"])}')
    return f'{facts["beyond_gate"]:.2%} of the action values lie outside its limit'


def _robot_rows(robot: dict) -> list[tuple[str, str]]:
    return [('robot', f'{robot["robot"]}, {robot["control_rate"]:g} Hz, contract '
                      f'{robot["contract"][:12]}'),
            *[('  observation', name) for name in robot['observation']],
            *[('  action', f'{action["name"]} [{action["low"]:.4g}, {action["high"]:.4g}]')
              for action in robot['action']]]


def checkpoint_facts(path) -> dict:
    """
    Return what a checkpoint is; json_output.INSPECT_KEYS says what each key holds.

    Raises:
        InputError: for a file that is damaged or no checkpoint.

    """
    from iql_ros.runs.checkpoint import read_header
    header = read_header(path)
    text, online = header.pop('robot_config'), header.pop('online', None)
    interface = parse_robot_interface(text, f'{path}: header') if text else None
    return {'kind': 'checkpoint', 'path': str(path), 'networks': _network_sizes(path),
            'header': header, 'online': online or None,
            'robot': interface and _robot_facts(interface)}


def checkpoint_text(facts: dict) -> str:
    """Return the facts of a checkpoint in lines: its networks, its header and the robot inside."""
    rows = [('checkpoint', facts['path'])]
    if facts['online']:
        rows.append(('fine-tuned', _fine_tuning(facts['header'], facts['online'])))
    rows += [(network, f'{count:,} values') for network, count in facts['networks'].items()]
    for key, value in facts['header'].items():
        lines = [str(value)]
        if isinstance(value, dict):
            lines = yaml.safe_dump(value, default_flow_style=None, sort_keys=False).splitlines()
        rows += [(key, lines[0]), *[('', line) for line in lines[1:]]]
    if facts['robot']:
        rows += _robot_rows(facts['robot'])
    else:
        rows.append(('robot', 'none: unbound (train --robot-config YAML binds it)'))
    return _lines(rows)


def _fine_tuning(header: dict, online: dict) -> str:
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

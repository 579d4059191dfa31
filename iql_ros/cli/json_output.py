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

"""What `--json` prints: one strict JSON document, and the keys that it has."""

import json
import math
from pathlib import Path

INSPECT_KEYS = {
    'bags': {
        'kind': 'bags',
        'bags': 'a survey of each bag, in order: file, path, start, end, messages, topics, notes, '
                'remarks (see survey.survey_bag)',
    },
    'dataset': {
        'kind': 'dataset',
        'name': 'id, folder or file',
        'environment': 'Gymnasium id, or null',
        'transitions': 'how many',
        'episodes': 'how many',
        'observation': 'values: how many; keys: of a Dict observation, in order',
        'action': 'values: how many; low and high: what -1 and +1 mean, physical units',
        'clipped': 'share of the action values outside of low and high',
        'episode_length': 'minimum, maximum and median [steps]',
        'terminated': 'episodes that their task ended',
        'truncated': 'episodes that something else ended',
        'returns': 'undiscounted: minimum, maximum, mean, standard_deviation, and histogram with '
                   'counts and one more edges',
        'interventions': 'steps in which an operator had control',
        'robot': 'the interface inside, or null: robot, control_rate [Hz], contract (sha256), '
                 'observation (names), action (name, low and high of each)',
        'beyond_gate': 'share of the action values outside the limit of its gate, or null',
        'sources': 'file and sha256 of what it was made from',
        'notes': 'what was left out or assumed',
        'fingerprint': 'sha256 of the arrays',
    },
    'checkpoint': {
        'kind': 'checkpoint',
        'path': 'the file',
        'networks': 'values in each',
        'header': 'what the file says of itself, without the next two',
        'online': 'the state of fine-tuning, or null',
        'robot': 'as of a dataset; null: unbound',
    },
}
EVALUATE_KEYS = {
    'checkpoint': 'the file',
    'environment': 'Gymnasium id',
    'robot': 'whose gate every action passed, or null',
    'choice': 'how the policy chose: kind, samples, inverse_temperature',
    'episodes': 'of each: episode (from 0), seed, return (undiscounted), length [steps], '
                'terminated, truncated, success (null: not said)',
    'summary': 'episodes, return_mean, return_std, length_mean [steps], success_rate (null: not '
               'said)',
}
SEQUENTIAL_KEYS = {
    'checkpoints': 'the two names, or those of their files of results',
    'environment': 'Gymnasium id, or null',
    'pairs': 'of each: two episodes from the same start, as of one policy',
    'wins': 'pairs in which the first, the second was better',
    'evidence': 'how much more likely these are if the two differ; sure from 1 / error on',
    'better': 'name of the better one, or null: cannot be told apart',
}
COMPARE_KEYS = {
    'data': 'name of the dataset that they are judged by',
    'told': 'share of the variance of held-out returns that comes out when recorded actions are '
            'replayed in what was learned of the dynamics; null: cannot be said',
    'policies': 'of each: name, checkpoint (the file), choice, value (discounted return) and its '
                'standard error, beats_mean (surely, that of the same checkpoint; null: it is not '
                'there), ended, unknown, gated (shares; null: no gate), off_good and off_bad '
                '(standard deviations; null: no critic)',
    'taken': 'which is recommended, or null: cannot be told',
    'words': 'the recommendation in sentences',
}
REPLAY_KEYS = {
    'checkpoint': 'the file',
    'robot': 'its name',
    'choice': 'how the policy chose: kind, samples, inverse_temperature',
    'acting': 'seed, first_episode and limit_scale, as they were given',
    'ticks': 'how many',
    'episodes': 'how many',
    'bags': 'of each: file, ticks, episodes, distance (mean; null: no tick)',
    'operated': 'share of the ticks at which an operator had control',
    'same': 'share of the ticks at which what would have been sent is what was commanded, to the '
            'bit',
    'distance': 'of both, the largest of the actions as a share of its range: median, p95 (19 of '
                '20 ticks are below)',
    'actions': 'of each: name, low, high, commanded and sent (minimum, maximum), difference '
               '(mean of its size, its p95, bias: the mean with its sign; physical units), '
               'opposite and gated (shares of the ticks)',
    'gated': 'share of the ticks of which the gate changed something',
    'trips': 'ticks: at how many the gate would have tripped; reasons: the most frequent, each '
             'with reason, ticks, bag and seconds of the first',
    'outside': 'null: the checkpoint does not tell the range of its data; ticks: share with an '
               'observation outside; values: of each that ever is name, ticks (share), low and '
               'high (trained on), minimum and maximum (seen), farthest (beyond, in standard '
               'deviations)',
    'critic': 'null: there is none; share of the ticks at which it takes what would have been '
              'sent for better, for worse, and the mean of how much more return it expects',
    'moments': 'where they differ most: bag, seconds, episode, tick, distance, commanded, sent',
    'notes': 'what was left out or assumed in reading the bags',
}
DOCTOR_KEYS = {
    'ok': 'whether nothing is broken, as the exit code says',
    'able': 'whether this machine can train, evaluate, run nodes',
    'checks': 'of each: name, state (ok, missing or broken), text, cure (what to do, or null) and '
              'facts (what the text is made from, by name)',
}


def json_text(document) -> str:
    """Return a document in strict JSON: NaN and infinity are null, arrays are lists."""
    return json.dumps(_plain(document), allow_nan=False, ensure_ascii=False, indent=1)


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, 'tolist'):  # of numpy, which `doctor` does without
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value

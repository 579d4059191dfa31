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

"""Which streams of a surveyed bag a first robot YAML takes, at what rate, by which stamps."""

import dataclasses
import re

from iql_ros.data.bags.survey.draft_streams import draft_stream, StreamDraft
from iql_ros.data.bags.survey.remarks import header_trouble, is_command
from iql_ros.robot.streams import TOPIC_NAME

_RATES = (10, 5, 2, 1)       # [Hz] to choose from: at more, one action hardly matters
_NEARLY = 1.05               # a stream of 4.97 Hz serves a control rate of 5 Hz
_SLOWEST = 0.95              # [Hz] of a stream that is taken
_COVERED = 0.5               # of the bag's time, below which a stream is doubtful
_OVERLAP = 0.5               # of two ranges of positions, above which they are of one thing
_TIMEOUT = 0.5               # [s] in which a robot stops by itself, where nobody said otherwise
_OLDEST = 1e5                # [s] a max_age
_CLOCK = 0.5                 # [s] by which stamps of one clock may differ
_TYPE = re.compile(r'[A-Za-z]\w*/msg/[A-Za-z]\w*', re.ASCII)
_EXECUTED = {'executed', 'safe', 'limited', 'smoothed', 'gated', 'filtered', 'applied', 'out',
             'output'}


@dataclasses.dataclass
class Choice:
    """What a draft is made of."""

    observations: list[StreamDraft]
    actions: list[StreamDraft]
    unusable: list[tuple[str, str]]          # topic, why
    control_rate: int                        # [Hz]
    slowest: StreamDraft | None
    stamps: dict[str, tuple[str, str]]       # topic -> header or receive, and why
    relative: bool                           # topics are written without their leading /

    def live(self, streams: list[StreamDraft]) -> list[StreamDraft]:
        """Return the streams that are not commented out."""
        return [stream for stream in streams if not stream.doubt]

    def timing(self, stream: StreamDraft) -> dict:
        """Return the figures on the clock that places the stream's messages."""
        by_header = self.stamps[stream.name][0] == 'header'
        return stream.topic['header'] if by_header else stream.topic

    @property
    def timeout(self) -> float:
        """Return after how long [s] without a command a robot is taken to stop by itself."""
        return max(_TIMEOUT, 2 / self.control_rate)

    @property
    def settle(self) -> float:
        """Return by when [s] after a tick nearly every sample stamped before it was received."""
        delay = max((self.delay(stream) for stream in self.live(self.observations)), default=0.0)
        return min(1.1 * delay, 0.5 / self.control_rate)

    def delay(self, stream: StreamDraft) -> float:
        """Return how much later [s] than stamped nearly every sample is received."""
        offset = stream.topic['offset']
        if self.stamps[stream.name][0] == 'receive' or abs(offset['median']) > _CLOCK:
            return 0.0
        return min(max(offset['p99'], 0.0), _CLOCK)

    def max_age(self, stream: StreamDraft, command: bool) -> float:
        """
        Return how old [s] a sample may be: 2.5 periods, the jitter and the usual delay.

        A sample may have half a control period in any case; a command stays in force until
        the robot is taken to stop by itself.
        """
        timing = self.timing(stream)
        age = 2.5 * timing['period'] + timing['jitter'] + self.delay(stream)
        return min(max(age, self.timeout if command else 0.5 / self.control_rate), _OLDEST)


def choose(survey: dict) -> Choice:
    """Return the streams to take from a survey, the doubtful ones marked with their reason."""
    observations, actions, unusable = [], [], []
    for topic in [part for topic in survey['topics'] for part in _by_joints(topic)]:
        command = is_command(topic)
        draft = draft_stream(topic, command)
        if isinstance(draft, str):
            unusable.append((topic['name'], draft))
            continue
        _doubt_by_itself(draft, survey, command)
        (actions if command else observations).append(draft)
    _doubt_twin_commands(actions)
    _take_last_resort(observations)
    _doubt_same_quantity(observations)
    live = [stream for stream in observations + actions if not stream.doubt]
    stamps = _stamps(live, observations + actions)
    choice = Choice(observations, actions, unusable, _RATES[-1], None, stamps,
                    _relative(live, survey))
    choice.slowest = min(live, key=lambda stream: choice.timing(stream)['rate'], default=None)
    if choice.slowest:
        rate = choice.timing(choice.slowest)['rate'] * _NEARLY
        choice.control_rate = next((each for each in _RATES if each <= rate), _RATES[-1])
    return choice


def _by_joints(topic: dict) -> list[dict]:
    """
    Return a topic on which parts of a robot publish their joints as one for each, else itself.

    Of each the newest values count, with their own age.
    """
    lists = topic['lists']
    named = [joint for each in lists for joint in each['joints']]
    if is_command(topic) or len(lists) < 2 or len(set(named)) < len(named):
        return [topic]
    parts = []
    for each in lists:
        share = each['messages'] / topic['messages']
        parts.append({**topic, **_slower(topic, share), 'joints': each['joints'],
                      'header': topic['header'] and {**topic['header'],
                                                     **_slower(topic['header'], share)},
                      'lists': [each], 'joint_lists': 1, 'messages': each['messages'],
                      'fields': [field for field in topic['fields']
                                 if field['name'].partition('[')[2][:-1] in each['joints']]})
    return parts


def _slower(timing: dict, share: float) -> dict:
    """Return the rate and period of a share of the messages."""
    return {'rate': timing['rate'] * share, 'period': timing['period'] / share}


def _doubt_by_itself(draft: StreamDraft, survey: dict, command: bool) -> None:
    topic, whole = draft.topic, survey['end'] - survey['start']
    covered = (topic['last'] - topic['first']) / whole if whole else 1.0
    if not (TOPIC_NAME.fullmatch(draft.name) and _TYPE.fullmatch(topic['type'])):
        draft.doubt = 'a robot YAML cannot write its name or type'
    elif topic['constant'] or not topic['rate']:
        draft.doubt = 'its messages have no times of their own'
    elif topic['type'].endswith('/Joy'):
        draft.doubt = 'what the operator did, which a policy does not see'
    elif topic['rate'] < _SLOWEST and not command:
        draft.doubt = f"slow ({topic['rate']:.2g} Hz): every tick would wait for it"
    elif covered < _COVERED and not command:
        draft.doubt = f'it covers only {covered:.0%} of the bag'
    else:
        return
    draft.last_resort = draft.doubt.startswith(('slow', 'it covers'))


def _take_last_resort(observations: list[StreamDraft]) -> None:
    """Take slow and short streams after all where there is no other."""
    if all(draft.doubt for draft in observations):
        for draft in observations:
            if draft.last_resort:
                draft.warnings.append(draft.doubt)
                draft.doubt = ''


def _doubt_twin_commands(actions: list[StreamDraft]) -> None:
    """Keep one of several topics that carry the same command; its gated twin is `executed`."""
    groups = {}
    for draft in actions:
        if not draft.doubt:
            groups.setdefault((draft.quantity(), tuple(draft.joints)), []).append(draft)
    for group in groups.values():
        asked = [draft for draft in group if not _is_executed(draft)] or group
        main = min(asked, key=lambda draft: (-draft.topic['messages'], draft.name))
        for draft in group:
            if draft is main:
                continue
            if _is_executed(draft) and draft.topic['type'] == main.topic['type'] \
                    and not main.executed:
                main.executed = draft.name
                draft.doubt = f'what {main.name} became: converted in its stead'
            else:
                draft.doubt = (f'the same command as {main.name}, by its fields; keep the one '
                               'that the robot obeyed')


def _is_executed(draft: StreamDraft) -> bool:
    return bool(_EXECUTED & set(re.split(r'[^a-z]+', draft.name.lower())))


def _doubt_same_quantity(observations: list[StreamDraft]) -> None:
    """Keep the best of several streams about one thing: with a sound header, then the fastest."""
    best_first = sorted(observations, key=lambda draft: (
        header_trouble(draft.topic) is not None, -draft.topic['rate'], draft.name))
    kept = []
    for draft in best_first:
        if draft.doubt:
            continue
        twin = next((other for other in kept if _same_quantity(draft, other)), None)
        if twin:
            draft.doubt = f'it says the same as {twin.name}, by its fields and ranges'
        else:
            kept.append(draft)


def _same_quantity(one: StreamDraft, other: StreamDraft) -> bool:
    if one.joints or other.joints:
        return bool(set(one.joints) & set(other.joints))
    positions = []
    for draft in (one, other):
        fields = {field['name']: field for field in draft.topic['fields']}
        positions.append({axis: fields[name] for name in draft.fields for axis in 'xyz'
                          if name.endswith(f'position.{axis}')})
    shared = set(positions[0]) & set(positions[1])
    return bool(shared) and all(_overlap(positions[0][axis], positions[1][axis]) > _OVERLAP
                                for axis in shared)


def _overlap(one: dict, other: dict) -> float:
    """Return the share of two ranges' union in which both lie."""
    common = min(one['maximum'], other['maximum']) - max(one['minimum'], other['minimum'])
    union = max(one['maximum'], other['maximum']) - min(one['minimum'], other['minimum'])
    return common / union if union > 0 else 1.0


def _stamps(live: list[StreamDraft], drafts: list[StreamDraft]) -> dict:
    """Return header or receive for every stream, with the reason where it is not plain."""
    offsets = {draft.name: draft.topic['offset']['median'] for draft in drafts
               if header_trouble(draft.topic) is None}
    ours = [offsets.get(draft.name) for draft in live]
    one_clock = ours and None not in ours and max(ours) - min(ours) <= _CLOCK
    stamps = {}
    for draft in drafts:
        offset = offsets.get(draft.name)
        if offset is None:
            stamps[draft.name] = 'receive', header_trouble(draft.topic)
        elif abs(offset) <= _CLOCK:
            stamps[draft.name] = 'header', f'receive minus header time: {offset:.2g} s'
        elif one_clock and abs(offset - ours[0]) <= _CLOCK:
            stamps[draft.name] = 'header', 'a clock that all streams share'
        else:
            stamps[draft.name] = 'receive', (
                f'its header is {abs(offset):.6g} s {"before" if offset > 0 else "after"} that: '
                'not the clock of the other streams')
    return stamps


def _relative(live: list[StreamDraft], survey: dict) -> bool:
    """Say whether names without their leading / are found at the root, and nowhere else."""
    names = {topic['name'] for topic in survey['topics']}
    wanted = [draft.name for draft in live]
    prefixes = {name[:-len(wanted[0])] for name in names
                if wanted and name.endswith(wanted[0]) and name != wanted[0]}
    return not any(all(prefix + name in names for name in wanted) for prefix in prefixes)

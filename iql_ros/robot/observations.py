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

"""What the policy sees: streams, with their past, frames, and what was sent before."""

import dataclasses
import types

import numpy as np

from iql_ros.files import check_keys, InputError, shown, unknown_name
from iql_ros.robot import rotations
from iql_ros.robot.streams import Stream

_LONGEST_HISTORY = 100  # [ticks]
_TRANSFORMS = ('tf2_msgs/msg/TFMessage', 'geometry_msgs/msg/TransformStamped')
_PLACES, _TURNS = ('translation.x', 'translation.y', 'translation.z'), 'rotation'


def _check_history(history: int, where: str) -> None:
    if not 1 <= history <= _LONGEST_HISTORY:
        raise InputError(f'{where}: history: got {history}; allowed: 1 to {_LONGEST_HISTORY}')


@dataclasses.dataclass(frozen=True)
class Observation(Stream):
    """A stream that the policy sees."""

    # at how many ticks, this one first, its values are seen; before an episode's start they count
    # as the first ones; allowed: 1 to 100
    history: int = 1
    # what an episode is about: taken once, at its start, however old, and heard of publishers that
    # keep their last message (transient local); without max_age
    goal: bool = False
    # of a goal: the topic of the pose from which it is seen, tick by tick; empty: it is given as
    # it came. Both are to be in the same frame_id
    relative_to: str = ''

    def __post_init__(self):
        super().__post_init__()
        if self.relative_to and not self.goal:
            raise InputError(f"topic '{self.topic}': relative_to: got {shown(self.relative_to)}; "
                             "only a goal is given so: 'goal: true'")
        _check_history(self.history, f"topic '{self.topic}'")
        if self.goal and self.history > 1:
            raise InputError(f"topic '{self.topic}': history: got {self.history}; a goal is the "
                             'same at every tick: 1')

    def contract(self) -> dict:
        """Return what gives the vector its meaning."""
        said = super().contract()
        said = {**said, 'history': self.history} if self.history > 1 else said
        return {**said, 'goal': True} if self.goal else said


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transform(Observation):
    """
    Where one frame is in another, over all edges of the tree between them (REP 105).

    Messages are about edges, see transform_tree.read_edges; `vector` is of what they make.
    """

    # the frame that is looked for, and the one in which; allowed: {of: FRAME, in: FRAME}
    transform: dict
    topic: str = '/tf'    # frames that stay where they are come on the one with _static after it
    # of the messages there; allowed: tf2_msgs/msg/TFMessage | geometry_msgs/msg/TransformStamped
    type: str = _TRANSFORMS[0]

    def __post_init__(self):
        if self.type not in _TRANSFORMS:
            raise unknown_name('type', self.type, _TRANSFORMS)
        frames = check_keys(self.transform, ('of', 'in'), 'transform')
        for key in ('of', 'in'):
            if not isinstance(frames.get(key), str) or not frames[key].strip('/'):
                raise InputError(f'transform: {key}: got {shown(frames.get(key))}; expected the '
                                 'name of a frame')
        if self.of == self.within:
            raise InputError(f'transform: got {shown(self.of)} in itself; expected two frames')
        for field in dataclasses.fields(Observation):
            given = getattr(self, field.name)
            if field.name not in ('topic', 'type', 'fields', 'max_age', 'history') and (
                    given != field.default):
                raise InputError(f"'{self.label}': {field.name}: got {shown(given)}; a transform "
                                 'has none')
        super().__post_init__()
        for field in self.parsed:
            if field.path not in _PLACES and not (field.path == _TURNS and field.turns):
                raise InputError(
                    f"'{self.label}': field '{field.text}': expected {', '.join(_PLACES)}, or one "
                    f'of {", ".join(rotations.WIDTHS)} of {_TURNS}, as yaw({_TURNS})')

    def _check_numbers(self, where: str) -> None:
        """Take a whole tree: its poses are found frame by frame."""

    @property
    def of(self) -> str:
        """Return the frame that is looked for."""
        return self.transform['of'].lstrip('/')

    @property
    def within(self) -> str:
        """Return the frame in which it is looked for."""
        return self.transform['in'].lstrip('/')

    @property
    def label(self) -> str:
        """Return what people call it."""
        return f'{self.of} in {self.within}'

    @property
    def static_topic(self) -> str:
        """Return where frames that stay where they are come from."""
        return f'{self.topic}_static'

    def contract(self) -> dict:
        """Return what gives the vector its meaning."""
        return {**super().contract(), 'transform': {'of': self.of, 'in': self.within}}

    def vector(self, pose: rotations.Pose) -> np.ndarray:
        """Return what the fields say of a pose, (dim,) float64; NaN where it is not finite."""
        (x, y, z), (i, j, k, w) = pose
        return self.decode(types.SimpleNamespace(
            translation=types.SimpleNamespace(x=x, y=y, z=z),
            rotation=types.SimpleNamespace(x=i, y=j, z=k, w=w)), recorded=True)

    def encode(self, vector, time_ns: int, make_message, message=None):
        """Return the message of a vector, one edge; see Stream.encode."""
        stamped = make_message(_TRANSFORMS[1])
        self._write(stamped.transform, vector)
        stamped.header.stamp.sec, stamped.header.stamp.nanosec = divmod(time_ns, 1_000_000_000)
        stamped.header.frame_id, stamped.child_frame_id = self.within, self.of
        if self.type == _TRANSFORMS[1]:
            return stamped
        message = make_message(self.type) if message is None else message
        message.transforms = [*message.transforms, stamped]
        return message


@dataclasses.dataclass(frozen=True)
class Previous:
    """What was sent before, as a part of the observation."""

    # the command that was in force since the tick before, after the gate, an operator's too; at
    # an episode's start the stop; allowed: action
    previous: str
    history: int = 1     # of how many ticks, the last one first; allowed: 1 to 100

    def __post_init__(self):
        if self.previous != 'action':
            raise unknown_name('previous', self.previous, ('action',))
        _check_history(self.history, 'previous: action')

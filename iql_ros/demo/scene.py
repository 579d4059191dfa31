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

"""What differs between the robots that the demo can show: what they do, and how it is drawn."""

from collections.abc import Callable
import dataclasses
from pathlib import Path

from iql_ros.files import share_folder


@dataclasses.dataclass(frozen=True)
class Scene:
    """One robot of the demo and its task."""

    name: str                # of config/robots/<name>.yaml
    environment: str         # Gymnasium id
    rate: float              # [Hz] of its ticks
    other: str               # Gymnasium id of the robot that it practises on; empty: it does not
    dataset: str             # id of what its recordings become
    done: str                # what an episode is that succeeds, as in: it ended docked
    does: str                # what a policy does then, as in: it docks
    starts: str              # where episodes start, as in: start poses all over the arena
    title: str               # of the report
    asked: tuple[str, ...]   # paragraphs: the task, and what there is to learn from
    other_is: str            # what the other robot is like
    paths_show: str          # what one sees in a drawing of paths
    # beginning of a recording's name -> colour of its paths
    colours: dict[str, str]
    where: Callable          # observations (..., O) -> what a path shows of them (..., 2)
    draw: Callable           # axes, for what stands around the paths
    aspect: float = 1.0      # of a drawing, height by width
    practice: int = 12_000   # steps on the other robot
    exploration: float = 1.0  # of the actor's own spread, while it practises
    films: bool = False      # whether it is rendered from the side

    @property
    def config(self) -> Path:
        """Return the robot's YAML file."""
        return share_folder() / 'config' / 'robots' / f'{self.name}.yaml'

    @property
    def recording(self) -> Path:
        """Return the folder of its bags."""
        return share_folder() / 'share' / f'{self.name}_recording'

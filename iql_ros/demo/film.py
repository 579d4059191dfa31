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

"""Pictures of a policy at work, rendered in a process of its own, which may fail."""

import os
from pathlib import Path
import subprocess
import sys

import numpy as np

from iql_ros.demo.evaluation import Outcome, STARTS_SEED
from iql_ros.demo.scene import Scene

_PICTURES = 4                # of an episode
_SIZE = {'width': 480, 'height': 400}    # [pixels]
_PATIENCE = 120.0            # [s]


def films(scene: Scene, outcomes: list[Outcome], folder: Path) -> list[tuple[str, np.ndarray]]:
    """
    Return a title and pictures (N, height, width, 3) of cloning and of IQL from the same start.

    That is the first one from which IQL succeeds and cloning does not, where there is one.
    Nothing, and a line that says why, where nothing can be rendered.
    """
    iql = outcomes[0]
    cloning = next(outcome for outcome in outcomes if outcome.run != iql.run)
    number = next((index for index, (ours, theirs) in enumerate(zip(iql.results, cloning.results))
                   if ours.success and not theirs.success), 0)
    found = []
    for outcome in (cloning, iql):
        path = folder / f'{outcome.run.name}_film.npy'
        np.save(path, outcome.actions[number])
        done = subprocess.run(
            [sys.executable, '-m', 'iql_ros.demo.film', scene.environment,
             str(STARTS_SEED + number), str(path)], env={'MUJOCO_GL': 'egl', **os.environ},
            capture_output=True, text=True, timeout=_PATIENCE, check=False)
        if done.returncode:
            reason = done.stderr.strip().splitlines() or ['nothing can be rendered here']
            print(f'no pictures of it at work: {reason[-1]}', flush=True)
            return []
        found.append((outcome.title, np.load(path)))
    return found


def _render(environment: str, seed: int, path: str) -> None:
    """Put pictures into the place of the actions (T, A) that lead to them."""
    from iql_ros.sim.envs import make_env
    actions = np.load(path)
    env = make_env(environment, render_mode='rgb_array', **_SIZE).unwrapped
    env.reset(seed=seed)
    shown, pictures = set(np.linspace(0, len(actions), _PICTURES).astype(int).tolist()), []
    for tick in range(len(actions) + 1):
        if tick in shown:
            pictures.append(env.render())
        if tick < len(actions):
            env.step(actions[tick])
    env.close()
    np.save(path, np.array(pictures))


if __name__ == '__main__':
    _render(sys.argv[1], int(sys.argv[2]), sys.argv[3])

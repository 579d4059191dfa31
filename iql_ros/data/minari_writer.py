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

"""New Minari datasets, whole or not at all, with where their episodes come from."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
import shutil

import numpy as np

from iql_ros import __version__
from iql_ros.data.minari_store import (
    DATASET_ID, datasets_root, import_minari, INTERVENTION)
from iql_ros.files import InputError
from iql_ros.robot.transitions import Episode

_WORKPLACE = '.iql_ros'  # hidden: Minari does not list what is being written there


def check_new_id(dataset_id: str, replace: bool = False) -> Path:
    """
    Return the folder that a new dataset will have; `replace` allows one that is there.

    Raises:
        InputError: for an id of the wrong form or one that exists already.

    """
    if not DATASET_ID.fullmatch(dataset_id):
        raise InputError(f"dataset id '{dataset_id}': expected NAME/x-v0 (letters, digits, - "
                         'and _, NAME of at least two, a version at the end)')
    folder = datasets_root() / dataset_id
    if folder.exists() and not replace:
        raise InputError(f"dataset id '{dataset_id}': {folder} exists already; choose another "
                         'id or version')
    return folder


def source_files(paths) -> list[dict]:
    """Return name (from the source on) and sha256 of every file a dataset is made from."""
    return [{'file': file.relative_to(path.parent).as_posix(), 'sha256': _sha256(file)}
            for path in (Path(path).resolve() for path in paths)
            for file in (sorted(path.rglob('*')) if path.is_dir() else [path]) if file.is_file()]


def _sha256(file: Path) -> str:
    """Return what hashlib.file_digest gives, which is there from Python 3.11 on."""
    digest = hashlib.sha256()
    with open(file, 'rb') as content:
        while block := content.read(2 ** 20):
            digest.update(block)
    return digest.hexdigest()


def write_minari(dataset_id: str, episodes: list[Episode], *, action_low, action_high,
                 sources=(), settings=None, robot_config: str | None = None,
                 environment: str | None = None, beside=None, replace: bool = False) -> Path:
    """
    Write episodes (actions in physical units) as a new Minari dataset; return its folder.

    It is written beside the others under a hidden name and appears by one rename, so that
    what can be seen is whole, also after a kill -9. `sources` is what `source_files` returns;
    `environment` is recorded, not made. `beside` are texts by the names of the files that they
    become in the dataset's folder. `replace` puts it in the place of one with that id.

    Raises:
        InputError: as check_new_id, and when the folder cannot be written.

    """
    folder, root = check_new_id(dataset_id, replace), datasets_root()
    if not episodes:
        raise InputError(f"dataset '{dataset_id}': no episode to write")
    provenance = {'version': __version__, 'sources': list(sources),
                  'settings': settings or {}, 'robot_config': robot_config}
    metadata = {'dataset_id': dataset_id, 'iql_ros': json.dumps(provenance, sort_keys=True),
                'minari_version': import_minari().__version__}
    spec = environment and _environment_spec(environment)
    if spec:
        metadata['env_spec'] = spec
    partial = root / _WORKPLACE / dataset_id.replace('/', '~')
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
        partial.mkdir(parents=True)
        _write_data(partial / 'data', episodes, action_low, action_high, metadata)
        for name, text in (beside or {}).items():
            (partial / name).write_text(text)
        _create_namespace(dataset_id)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            os.rename(folder, _old(dataset_id))
        os.rename(partial, folder)
        shutil.rmtree(_old(dataset_id), ignore_errors=True)
    except OSError as error:
        reason = ' '.join(str(error.strerror or error).split())
        raise InputError(f'{folder}: cannot be written: {reason}') from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        with contextlib.suppress(OSError):
            partial.parent.rmdir()
    return folder


def restore(dataset_id: str) -> None:
    """Put a dataset back that was being replaced when the program was killed."""
    folder, old = datasets_root() / dataset_id, _old(dataset_id)
    if old.exists() and not folder.exists():
        os.rename(old, folder)
    shutil.rmtree(old, ignore_errors=True)


def _old(dataset_id: str) -> Path:
    """Return where a dataset lies while it is replaced."""
    return datasets_root() / _WORKPLACE / f"{dataset_id.replace('/', '~')}~old"


def _environment_spec(environment: str) -> str | None:
    """Return the JSON of an environment, also of one that is not registered here."""
    import gymnasium
    with contextlib.suppress(InputError):
        import iql_ros.sim.envs  # noqa: F401 (registers ours; needs mujoco)
    for find in (gymnasium.spec, gymnasium.envs.registration.EnvSpec):
        with contextlib.suppress(gymnasium.error.Error):
            return find(environment).to_json()
    return None  # not the name of an environment


def _write_data(folder: Path, episodes, low, high, metadata: dict) -> None:
    from gymnasium.spaces import Box
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage
    first = episodes[0].observations
    flagged = any(episode.interventions is not None for episode in episodes)
    storage = MinariStorage.new(
        folder, observation_space=Box(-np.inf, np.inf, first.shape[1:], first.dtype),
        action_space=Box(np.asarray(low, np.float64), np.asarray(high, np.float64),
                         dtype=np.float64), data_format='hdf5')
    storage.update_episodes(EpisodeBuffer(
        observations=episode.observations, actions=episode.actions, rewards=episode.rewards,
        terminations=episode.terminations, truncations=episode.truncations,
        infos=_infos(episode) if flagged else None) for episode in episodes)
    storage.update_metadata(metadata)
    for path in folder.iterdir():
        with open(path, 'rb') as file:
            os.fsync(file.fileno())


def _infos(episode: Episode) -> dict:
    """Return who had control, T + 1 as Minari keeps infos: the reset's comes first."""
    flags = np.zeros(len(episode.actions) + 1, dtype=bool)
    if episode.interventions is not None:
        flags[1:] = episode.interventions
    return {INTERVENTION: flags}


def _create_namespace(dataset_id: str) -> None:
    from minari.namespace import create_namespace, list_local_namespaces
    namespace = dataset_id.rpartition('/')[0]
    if namespace and namespace not in list_local_namespaces():
        create_namespace(namespace)

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

"""What is known of the bags of a dataset, so that only new ones need be converted."""

import hashlib
import json
from pathlib import Path

from iql_ros.data.bags.files import find_bags
from iql_ros.data.minari_store import datasets_root, read_minari
from iql_ros.data.minari_writer import restore
from iql_ros.files import InputError
from iql_ros.robot.transitions import Episode

BAGS_FILE = 'bags.json'  # beside a dataset's data: the whole report of every bag
_SETTINGS = {            # of a conversion, which all bags of a dataset share; in words
    'version': 'the version of iql_ros', 'robot_config': 'the robot config',
    'environment': 'the environment', 'namespace': 'the namespace', 'allow': 'what is allowed',
    'labels': 'the labels', 'task_functions': "the file of a task's function"}


def bag_digests(sources, files: list[dict]) -> dict[Path, str]:
    """
    Return one sha256 for each bag of some sources: of the names and contents of its files.

    Args:
        sources: Bags, or folders of bags.
        files: What source_files returns for them.

    """
    hashes, digests = iter(files), {}
    by_path = {}
    for source in (Path(source).resolve() for source in sources):
        inside = [path for path in sorted(source.rglob('*')) if path.is_file()] if (
            source.is_dir()) else [source]
        by_path.update((path, next(hashes)['sha256']) for path in inside)
    for bag in (bag for source in sources for bag in find_bags(source)):
        whole = bag.resolve()
        parts = [(path.relative_to(whole.parent).as_posix(), digest)
                 for path, digest in by_path.items() if path == whole or whole in path.parents]
        digests[bag] = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return digests


class KnownBags:
    """The bags of a dataset that was converted before, by what is in them."""

    def __init__(self, dataset_id: str, settings: dict, digests: dict[Path, str]):
        """
        Look what of it can be taken over; `why` says why nothing can, empty where something can.

        Args:
            dataset_id: Of the dataset, which need not exist.
            settings: Of the conversion now, with the keys of _SETTINGS.
            digests: Of the bags now, see bag_digests.

        """
        self._digests, self._found = digests, {}
        restore(dataset_id)
        self.why = self._load(dataset_id, settings)

    def _load(self, dataset_id: str, settings: dict) -> str:
        folder = datasets_root() / dataset_id
        if not folder.exists():
            return 'there is no dataset of that id yet'
        try:
            bags = json.loads((folder / BAGS_FILE).read_text())
            recording = read_minari(dataset_id)
        except (OSError, ValueError, InputError):
            return 'the dataset there was not made from bags by this version'
        made = recording.metadata.get('iql_ros', {})
        before = {**made.get('settings', {}), **{key: made.get(key) for key in (
            'version', 'robot_config')}}
        differs = next((words for key, words in _SETTINGS.items()
                        if before.get(key) != settings[key]), '')
        if differs:
            return f'{differs} is another now'
        if len(recording.episodes) != sum(len(bag['episodes']) for bag in bags):
            return 'the dataset there was changed since'
        episodes = iter(recording.episodes)
        for bag in bags:
            part = [next(episodes) for _ in bag['episodes']]
            self._found[bag['file'], bag['sha256']] = part, bag
        return ''

    def __call__(self, path: Path) -> tuple[list[Episode], dict] | None:
        """Return the episodes and the report of a bag that is known, else None."""
        return self._found.get((path.name, self._digests[path]))

    def in_words(self) -> str:
        """Return how many bags are new, or why all are converted anew."""
        if self.why:
            return f'all {len(self._digests):,} bags are converted: {self.why}'
        new = sum(self(path) is None for path in self._digests)
        gone = len(self._found) - (len(self._digests) - new)
        return (f'{new:,} of {len(self._digests):,} bags are new or changed; the others are as '
                'they were' + (f'; {gone:,} that are gone are left out' if gone else ''))

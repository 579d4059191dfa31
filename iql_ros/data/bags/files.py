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

"""Where a bag's data lies: its files on disk, and what its metadata.yaml declares."""

import dataclasses
from pathlib import Path

from iql_ros.files import InputError, read_yaml

_SUFFIXES = ('.mcap', '.db3', '.bag', '.mcap.zstd', '.db3.zstd')
_FOREIGN = {             # what else is given for a bag, and what to do with it
    ('.hdf5', '.h5'): 'HDF5; a flat file is converted alone: iql-ros convert FILE.hdf5',
    ('.npz', '.npy'): 'NumPy; write its arrays into a flat HDF5 file',
    ('.pkl', '.pickle', '.pt', '.pth'): 'a pickle, which may run code when it is read; write its '
                                        'arrays into a flat HDF5 file',
    ('.parquet', '.csv', '.zarr'): 'a table; write its columns into a flat HDF5 file'}
_LFS_POINTER = b'version https://git-lfs'
ALLOWANCES = {
    'missing-parts': 'read what is there of a split bag',
    'damaged': 'keep what can be read before the damage, leave out messages that cannot be',
    'counts': 'read fewer messages than the bag declares',
    'clocks': 'mix streams whose header clocks disagree',
    'unset-stamps': 'leave out messages whose header stamp is zero',
    'partial-joints': 'leave out joint messages that lack a joint that the YAML names',
    'unfit-messages': 'leave out messages whose arrays, names or frame do not fit the YAML, and '
                      'the ticks that would see them',
    'publishers': 'take messages of several publishers on one topic, though they disagree',
    'outliers': 'leave out ticks with a value far outside of all others',
    'keep-outliers': 'keep such ticks',
    'non-finite': 'leave out ticks with NaN or infinity, ending the episode there',
}


class Allowed:
    """What a person allowed by name (`--allow`), and notes of what came of it."""

    def __init__(self, names=(), path=None):
        """
        Take names of ALLOWANCES, and the bag that is spoken of where a text does not name it.

        Raises:
            InputError: for a name that is none.

        """
        for name in names:
            if name not in ALLOWANCES:
                raise InputError(f"--allow '{name}'; allowed: {', '.join(ALLOWANCES)}")
        self._names = frozenset(names)
        self._notes, self._left_out = [], {}
        self._bag = f"bag '{path}': " if path else ''

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def refuse(self, name: str, text: str) -> None:
        """Note what was allowed; refuse what was not, saying how to allow it."""
        if name not in self._names:
            raise InputError(f'{self._named(text)} (--allow {name}: {ALLOWANCES[name]})')
        self.note(text)

    def _named(self, text: str) -> str:
        return text if text.startswith("bag '") else f'{self._bag}{text}'

    def note(self, text: str) -> None:
        """Note what a person should know, once."""
        if self._named(text) not in self._notes:
            self._notes.append(self._named(text))

    def leave_out(self, name: str, text: str, seconds: float) -> None:
        """
        Count what is left out as was allowed by name; refuse what was not.

        Args:
            name: Of ALLOWANCES.
            text: What it is and of which topic; what has the same text is counted together.
            seconds: When, after the bag's start [s].

        Raises:
            InputError: where it was not allowed, with the time and how to allow it.

        """
        if name not in self._names:
            raise InputError(f'{self._named(text)}, {_at(seconds)} (--allow {name}: '
                             f'{ALLOWANCES[name]})')
        self.count(text, seconds)

    def count(self, text: str, seconds: float) -> None:
        """Count what happens again and again, for a note with the number and the first time."""
        text = self._named(text)
        count, first = self._left_out.get(text, (0, seconds))
        self._left_out[text] = count + 1, min(first, seconds)

    @property
    def notes(self) -> list[str]:
        """Return what came of what was allowed, and what else a person should know."""
        return [*self._notes, *(f'{text}: {_times(count)} {_at(first)}'
                                for text, (count, first) in self._left_out.items())]


def _at(seconds: float) -> str:
    return f'{seconds:.3f} s after the start of the bag'


def _times(count: int) -> str:
    return 'once,' if count == 1 else f'{count:,} times, first'


@dataclasses.dataclass(frozen=True)
class BagFiles:
    """The data files of one bag, and what its metadata.yaml says of them."""

    paths: tuple[Path, ...]
    compressed_messages: bool = False
    declared: dict | None = None     # topic -> messages; None without metadata.yaml


def is_bag(path) -> bool:
    """Say whether a path is a bag's file, or a folder with one in it or one level below."""
    path = Path(path)
    if path.is_dir():
        return bool(_data_files(path)) or any(
            _data_files(child) for child in path.iterdir() if child.is_dir())
    return path.name.endswith(_SUFFIXES)


def find_bags(source) -> list[Path]:
    """
    Return the bags of a source: itself, or the bags of a folder in order of their names.

    Without a metadata.yaml nothing says that two files of a folder belong together: each is a
    bag of its own.

    Raises:
        InputError: for a path that does not exist or holds no bag.

    """
    path = Path(source)
    if not path.exists():
        raise InputError(f"bag '{path}' does not exist")
    if path.name.endswith(_SUFFIXES) or (path / 'metadata.yaml').is_file():
        return [path]
    if path.is_file():
        raise InputError(f"'{path}' is no bag, {_what(path)}")
    bags = [child for child in sorted(path.iterdir())
            if child.name.endswith(_SUFFIXES) or (child.is_dir() and _data_files(child))]
    if not bags:
        inside = next((child for child in sorted(path.rglob('*'))
                       if any(child.name.endswith(suffixes) for suffixes in _FOREIGN)), path)
        raise InputError(f"'{path}' holds no bag, {_what(inside)}")
    return [bag for child in bags for bag in (find_bags(child) if child.is_dir() else [child])]


def _what(path: Path) -> str:
    """Say what something is that is no bag, and what was expected."""
    known = next((f'but {text}' for suffixes, text in _FOREIGN.items()
                  if path.name.endswith(suffixes)), 'and nothing else that is known')
    return f"{known}; bags are files named {', '.join(_SUFFIXES)}, or folders with them"


def _data_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir()
                  if file.is_file() and file.name.endswith(_SUFFIXES))


def locate(path: Path, allowed: Allowed) -> BagFiles:
    """
    Return the data files of one bag; those of a folder as its metadata.yaml lists them.

    Raises:
        InputError: for a folder without data, a part that is missing, a pointer file.

    """
    if not path.is_dir():
        return BagFiles((_checked(path),))
    present = _data_files(path)
    if not present:
        raise InputError(f"bag '{path}' has no data file; expected {', '.join(_SUFFIXES)}")
    if not (path / 'metadata.yaml').is_file():
        return BagFiles(tuple(_checked(file) for file in present))
    content = read_yaml(path / 'metadata.yaml')
    try:
        information = content['rosbag2_bagfile_information']
        names = [Path(name).name for name in information['relative_file_paths']]
        by_message = str(information.get('compression_mode') or '').lower() == 'message'
        declared = {}
        for entry in information['topics_with_message_count']:
            topic, count = entry['topic_metadata']['name'], int(entry['message_count'])
            declared[topic] = declared.get(topic, 0) + count
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"bag '{path}': metadata.yaml is damaged: {error!r}") from None
    files = _listed(path, names, present, allowed)
    if len(files) < len(names):
        declared = None  # of all parts
    return BagFiles(tuple(_checked(file) for file in files), by_message, declared)


def _listed(path: Path, names: list[str], present: list[Path], allowed: Allowed) -> list[Path]:
    missing = [name for name in names if not (path / name).is_file()]
    if not missing:
        return [path / name for name in names]
    if len(present) == len(names):  # renamed after recording
        return present
    allowed.refuse('missing-parts', f"bag '{path}': {len(missing)} of its {len(names)} parts are "
                                    f'missing: {", ".join(missing)}')
    return present


def _checked(file: Path) -> Path:
    try:
        with open(file, 'rb') as content:
            start = content.read(len(_LFS_POINTER))
    except OSError as error:
        raise InputError(f"bag '{file}' cannot be read: {error.strerror}") from None
    if start == _LFS_POINTER:
        raise InputError(f"bag '{file}' is a Git LFS pointer, not the data; fetch the data with: "
                         'git lfs pull')
    return file

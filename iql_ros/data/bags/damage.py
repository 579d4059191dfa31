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

"""What a damaged bag makes of the libraries that read it, as one line that says what to do."""

import contextlib
from pathlib import Path

from iql_ros.files import InputError

_LONGEST_REASON = 300    # characters: rosbags quotes whole definitions
_REMEDIES = {            # for what a recorder that was not shut down leaves behind
    'File end magic is invalid': ' It was cut short: mcap recover FILE may save what is there',
    'Bag index looks damaged': ' It was cut short: rosbag reindex FILE may save what is there',
    'is malformed': '; sqlite3 FILE .recover may save what is there'}


class DamageError(InputError):
    """A message cannot be read, though the bag can."""


def about(path: Path, error: InputError, what: str = '') -> str:
    """Return an error's text, which names the bag."""
    text, prefix = str(error), f"bag '{path}'"
    return text if text.startswith(prefix) else f'{prefix}: {what}{text}'


def reason(error: BaseException) -> str:
    """Return an error's text, short and with what to do about it where that is known."""
    text = ' '.join(str(error).split())
    if not text:
        return f'it is damaged ({type(error).__name__})'
    remedy = next((advice for words, advice in _REMEDIES.items() if words in text), '')
    return text[:_LONGEST_REASON] + remedy


@contextlib.contextmanager
def one_line(path: Path, what: str = ''):
    """Turn whatever rosbags and what it stands on raise on a damaged bag into one line."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(f"reading bags needs the module '{error.name}': pip install "
                         "'iql_ros[data]'") from None
    except InputError as error:
        raise InputError(about(path, error, what)) from None
    except Exception as error:  # every kind: rosbags' own, of zstd and lz4, of sqlite, struct's
        raise InputError(f"bag '{path}' cannot be read: {what}{reason(error)}") from None

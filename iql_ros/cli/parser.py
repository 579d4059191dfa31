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

"""How the command line is read: errors on one line with the nearest name, numbers below zero."""

import argparse
import math
import re

from iql_ros.files import InputError, unknown_name

# Python before 3.14 takes -1e-3 for an option; -inf shall reach `number`, which refuses it
_MOST_SEEDS = 10_000
_BELOW_ZERO = re.compile(r'-(\.?\d|inf|nan)', re.IGNORECASE)


class Parser(argparse.ArgumentParser):
    """A parser whose errors take one line and name what is nearest."""

    def __init__(self, *args, **kwargs):
        """Take what argparse takes."""
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = _BELOW_ZERO

    def error(self, message):
        self.exit(2, f'{self.prog}: error: {message} (see {self.prog} --help)\n')

    def parse_known_args(self, args=None, namespace=None):
        """Refuse an unknown option here, where its neighbours are known, not at the top."""
        namespace, unknown = super().parse_known_args(args, namespace)
        for word in unknown:
            if word.startswith('-'):
                name = word.partition('=')[0]
                self.error(str(unknown_name('option', name, self._long_options())))
        if unknown:
            self.error(f'unrecognized arguments: {" ".join(unknown)}')
        return namespace, unknown

    def _long_options(self) -> list[str]:
        return [name for name in self._option_string_actions if name.startswith('--')]

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            what = str(action.metavar).lower()
            raise argparse.ArgumentError(action, str(unknown_name(what, value, action.choices)))


def number(text: str) -> float:
    """Return a finite number, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'got {text}; expected a finite number')
    return value


def count(text: str) -> int:
    """Return a whole number from 1, for argparse."""
    return _whole(text, 1, '1 or more')


def seed(text: str) -> int:
    """Return a whole number from 0, for argparse."""
    return _whole(text, 0, '0 or more')


def _whole(text: str, lowest: int, allowed: str) -> int:
    if not text.isdecimal() or int(text) < lowest:
        raise argparse.ArgumentTypeError(f'got {text}; expected a whole number, {allowed}')
    return int(text)


def check_place(options) -> None:
    """
    Refuse what only a cluster, or only this machine, has a use for.

    Raises:
        InputError: naming the option.

    """
    of_cluster = [name for name in ('address', 'resources') if getattr(options, name)]
    if options.on != 'ray' and of_cluster:
        raise InputError(f'--{of_cluster[0]} is for --on ray')
    if options.on == 'ray' and options.jobs:
        raise InputError('--jobs is for this machine; a cluster runs as many at once as it has '
                         'room for')


def seeds(text: str) -> list[int]:
    """Return seeds for argparse: 3 is 0, 1, 2; 4-7 is a range; 1,5,8-9 a list of both."""
    try:
        parts = [range(int(text))] if text.isdecimal() else [
            _first_to_last(part) for part in text.split(',')]
        count = sum(map(len, parts))
    except (ValueError, OverflowError):
        parts, count = [], 0
    if not all(parts) or not 0 < count <= _MOST_SEEDS:
        raise argparse.ArgumentTypeError(
            f'got {text}; expected how many (3), a range (0-15) or a list (1,5,8-9), at most '
            f'{_MOST_SEEDS:,}')
    return sorted({each for part in parts for each in part})


def _first_to_last(text: str) -> range:
    first, dash, last = text.partition('-')
    return range(int(first), int(last if dash else first) + 1)


def resources(text: str) -> dict[str, float]:
    """Return what a task needs, for argparse: CPU=1,GPU=0.5."""
    found = {}
    for part in text.split(','):
        name, _, amount = (word.strip() for word in part.partition('='))
        try:
            found[name] = float(amount)
        except ValueError:
            found[name] = math.nan
        if not name or not math.isfinite(found[name]) or found[name] < 0:
            raise argparse.ArgumentTypeError(
                f'got {text}; expected NAME=AMOUNT,NAME=AMOUNT, such as CPU=1,GPU=0.5')
    return found


def names(text: str) -> tuple[str, ...]:
    """Return names that commas separate, for argparse."""
    return tuple(filter(None, (name.strip() for name in text.split(','))))

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

"""Where a simulated robot's episodes start: a box that a user may narrow."""

import math
import numbers

from iql_ros.files import check_keys, InputError


def finite_number(name: str, value) -> float:
    """
    Return a number.

    Raises:
        InputError: for anything else, naming it.

    """
    if (not isinstance(value, numbers.Real) or isinstance(value, bool)
            or not math.isfinite(value)):
        raise InputError(f'{name}: got {value!r}; expected a finite number')
    return float(value)


def start_region(start, default: dict, widest: dict) -> dict:
    """
    Return every key's (low, high) of a start region.

    Args:
        start: What a user says of it, any of its keys -> [low, high]; None: nothing.
        default: Every key -> (low, high), where nothing is said.
        widest: Every key -> (low, high), of what may be said.

    Raises:
        InputError: for an unknown key, or bounds that are none or too wide.

    """
    region = dict(default)
    for key, value in check_keys({} if start is None else start, list(default),
                                 'start').items():
        bounds = value if isinstance(value, (list, tuple)) else ()
        if len(bounds) != 2:
            raise InputError(f'start: {key}: got {value!r}; expected [low, high]')
        low, high = (finite_number(f'start: {key}', bound) for bound in bounds)
        if not widest[key][0] <= low <= high <= widest[key][1]:
            raise InputError(f'start: {key}: got {value!r}; allowed: [low, high] inside '
                             f'[{widest[key][0]:.4g}, {widest[key][1]:.4g}]')
        region[key] = (low, high)
    return region


def drawn(region: dict, rng) -> list[float]:
    """Return a value of every key, uniform over the region."""
    return [rng.uniform(low, high) for low, high in region.values()]

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

"""What rclpy refuses of a user's arguments, names and parameters, as an error on one line."""

import contextlib
import re

from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.impl.implementation_singleton import rclpy_implementation

from iql_ros.files import InputError

_REFUSALS = (NameValidationException, ParameterException, rclpy_implementation.RCLError,
             rclpy_implementation.UnknownROSArgsError)
_LONGEST = 600  # [character]; rclpy shows values as long as they are
# where in rcl's own source it was seen, and the mark under the character that is wrong
_NOISE = re.compile(r',? at \S+\.(c|cpp|h|hpp):\d+|\s*\^\s*$|^failed to initialize rcl: ')


@contextlib.contextmanager
def as_input_errors():
    """Raise InputError for what rclpy refuses."""
    try:
        yield
    except _REFUSALS as error:
        raise InputError(one_line(error)) from None


def one_line(error: Exception) -> str:
    """Return what rclpy says, on one line and cut where it is long."""
    text = ' '.join(_NOISE.sub('', str(error)).split())
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...'

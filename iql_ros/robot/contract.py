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

"""Whether two robot interfaces give their vectors the same meaning."""

from iql_ros.files import InputError
from iql_ros.robot.robot_interface import RobotInterface


def check_same_contract(ours: RobotInterface, theirs: RobotInterface, where: str) -> None:
    """
    Refuse another contract.

    Raises:
        InputError: naming the first key that differs, with both values.

    """
    difference = _first_difference(ours.contract(), theirs.contract(), '')
    if difference:
        key, our_value, their_value = difference
        raise InputError(f"{where} is for another robot interface: '{key}' is {their_value!r} "
                         f"there and {our_value!r} in robot '{ours.robot}' here")


def _first_difference(ours, theirs, key: str):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        pairs = [(f'{key}.{name}'.lstrip('.'), ours.get(name), theirs.get(name))
                 for name in {**ours, **theirs}]
    elif (isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs)
          and any(isinstance(item, dict) for item in ours)):
        pairs = [(f'{key}[{index}]', *both) for index, both in enumerate(zip(ours, theirs))]
    else:
        return None if ours == theirs else (key, ours, theirs)
    differences = (_first_difference(left, right, name) for name, left, right in pairs)
    return next((difference for difference in differences if difference), None)

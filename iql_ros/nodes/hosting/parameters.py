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

"""The parameters of every node of this package: one table a node, declared and read here."""

import dataclasses
import types

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
import rclpy

from iql_ros.files import InputError


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A row of a node's parameter table; the default's type is the parameter's."""

    name: str
    default: object
    description: str
    range: tuple | None = None           # inclusive (lowest, highest)
    choices: tuple[str, ...] = ()


def declare(node, table: tuple[Parameter, ...]) -> None:
    """Declare the parameters of a table, with descriptions and ranges."""
    for row in table:
        descriptor = ParameterDescriptor(description=row.description, read_only=True)
        if row.choices:
            descriptor.additional_constraints = f"one of: {', '.join(row.choices)}"
        if row.range and isinstance(row.default, float):
            descriptor.floating_point_range = [FloatingPointRange(
                from_value=float(row.range[0]), to_value=float(row.range[1]))]
        elif row.range:
            descriptor.integer_range = [IntegerRange(
                from_value=row.range[0], to_value=row.range[1], step=1)]
        try:
            node.declare_parameter(row.name, row.default, descriptor)
        except rclpy.exceptions.ParameterException as error:
            raise InputError(f"parameter '{row.name}': {error}") from None
        except rclpy.exceptions.InvalidParameterTypeException as error:
            raise InputError(f"parameter '{row.name}': {error}") from None


def values(node, table: tuple[Parameter, ...]) -> types.SimpleNamespace:
    """
    Return the values of a table's parameters by name.

    Raises:
        InputError: for a value that is none of the choices, or none at all.

    """
    try:
        found = {row.name: node.get_parameter(row.name).value for row in table}
    except rclpy.exceptions.ParameterUninitializedException as error:  # [] is of no type
        raise InputError(f'parameter without a value: {error}') from None
    for row in table:
        if row.choices and found[row.name] not in row.choices:
            raise InputError(f"parameter '{row.name}': got '{found[row.name]}'; allowed: "
                             f"{', '.join(row.choices)}")
    return types.SimpleNamespace(**found)

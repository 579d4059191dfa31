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
import reprlib
import types

from rcl_interfaces.msg import (
    FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult)
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
import rclpy
from rclpy.parameter import Parameter as RosParameter

from iql_ros.files import InputError, unknown_name
from iql_ros.nodes.hosting.executor import words
from iql_ros.nodes.hosting.ros_errors import one_line
from iql_ros.nodes.hosting.services import AnsweringServices

AT_START = 'is read at the start: start the node again with another value'
ON_CONFIGURE = 'is read on configure: deactivate, clean up, set it and configure again'
_LONGEST_NAME = 100  # [character] of one that is given, in an answer


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A row of a node's parameter table; the default's type is the parameter's."""

    name: str
    default: object
    description: str
    range: tuple | None = None           # inclusive (lowest, highest)
    choices: tuple[str, ...] = ()
    counts: str = ''                     # from when on, set while running; empty: it cannot be
    fixed: str = ''                      # why else; empty: its node's reason


class GuardedParameters(AnsweringServices):
    """
    Mixed into a Node: what cannot be set is refused in a line that says why.

    rclpy looks at type, range and read_only before it asks any callback, and its words name
    neither the parameter nor a way out; so this looks first.
    """

    why_fixed = AT_START    # where the table says nothing else

    def create_service(self, srv_type, srv_name, callback, **rest):
        """Make a service; those that set parameters are this class's own."""
        own = {SetParameters: self._on_set_each, SetParametersAtomically: self._on_set_together}
        return super().create_service(srv_type, srv_name, own.get(srv_type, callback), **rest)

    def declare_table(self, table: tuple[Parameter, ...]) -> None:
        """
        Declare the parameters of a table, with descriptions and ranges.

        Raises:
            InputError: for a value given from outside that does not fit.

        """
        self._table = {row.name: row for row in table}
        for row in table:
            try:
                self.declare_parameter(row.name, row.default, self._descriptor(row))
            except (rclpy.exceptions.ParameterException,
                    rclpy.exceptions.InvalidParameterTypeException) as error:
                raise InputError(f"parameter '{row.name}': {one_line(error)}") from None

    def _descriptor(self, row: Parameter) -> ParameterDescriptor:
        notes = [f"one of: {', '.join(row.choices)}"] if row.choices else []
        notes.append(f'may be set while running, counts {row.counts}' if row.counts
                     else row.fixed or self.why_fixed)
        found = ParameterDescriptor(
            description=row.description, read_only=not self.may_set(row),
            additional_constraints='; '.join(notes))
        if row.range and isinstance(row.default, float):
            found.floating_point_range = [FloatingPointRange(
                from_value=float(row.range[0]), to_value=float(row.range[1]))]
        elif row.range:
            found.integer_range = [IntegerRange(
                from_value=row.range[0], to_value=row.range[1], step=1)]
        return found

    def may_set(self, row: Parameter) -> bool:
        """Say whether a parameter may be set now."""
        return bool(row.counts)

    def settings(self) -> types.SimpleNamespace:
        """
        Return the values of the table's parameters by name.

        Raises:
            InputError: for a value that is none of the choices, or none at all.

        """
        try:
            found = {name: self.get_parameter(name).value for name in self._table}
        except rclpy.exceptions.ParameterUninitializedException as error:  # [] is of no type
            raise InputError(f'parameter without a value: {error}') from None
        for name, row in self._table.items():
            _check_choices(row, found[name])
        return types.SimpleNamespace(**found)

    def _on_set_each(self, request, response):
        response.results = [self._set([message]) for message in request.parameters]
        return response

    def _on_set_together(self, request, response):
        response.result = self._set(request.parameters)
        return response

    def _set(self, messages) -> SetParametersResult:
        """Set what messages say; where that is nothing that can be set, the result says so."""
        try:
            result = self.set_parameters_atomically([_from_message(each) for each in messages])
        except InputError as error:
            result = refusal(error)
        except Exception as error:
            result = refusal(InputError(f'failed: {words(error)}'))
        if not result.successful:
            self.get_logger().warning(f'not set: {result.reason}', throttle_duration_sec=1.0)
        return result

    def set_parameters_atomically(self, parameter_list):
        """Set all of these or, with the reason, none; what rclpy's services call."""
        try:
            for given in parameter_list:
                self._check(given)
        except InputError as error:
            return refusal(error)
        return super().set_parameters_atomically(parameter_list)

    def _check(self, given) -> None:
        if not self.has_parameter(given.name):
            raise unknown_name('parameter', _short(given.name), self._table)
        row = self._table.get(given.name)
        if row is None:  # rclpy's own, such as use_sim_time
            raise InputError(f"parameter '{given.name}' {AT_START}")
        if not self.may_set(row):
            raise InputError(f"parameter '{row.name}' {row.fixed or self.why_fixed}")
        expected = type(given).Type.from_parameter_value(row.default)
        if given.type_ != expected:
            raise InputError(f"parameter '{row.name}': got {reprlib.repr(given.value)} "
                             f'({given.type_.name.lower()}); expected type '
                             f'{expected.name.lower()}')
        if row.range and not row.range[0] <= given.value <= row.range[1]:
            raise InputError(f"parameter '{row.name}': got {given.value}; allowed: "
                             f'{row.range[0]} to {row.range[1]}')
        _check_choices(row, given.value)


def _from_message(message) -> RosParameter:
    try:
        return RosParameter.from_parameter_msg(message)
    except ValueError:
        types = ', '.join(f'{each.value} ({each.name.lower()})' for each in RosParameter.Type)
        raise InputError(f"parameter '{_short(message.name)}': got type {message.value.type}; "
                         f'allowed: {types}') from None


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f'{name[:_LONGEST_NAME]}...'


def _check_choices(row: Parameter, value) -> None:
    if row.choices and value not in row.choices:
        raise InputError(f"parameter '{row.name}': got {reprlib.repr(value)}; allowed: "
                         f"{', '.join(row.choices)}")


def refusal(error: InputError) -> SetParametersResult:
    """Return what tells whoever sets parameters why they are not."""
    return SetParametersResult(successful=False, reason=' '.join(str(error).split()))

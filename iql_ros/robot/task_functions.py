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

"""The functions that a robot's YAML names: what may be one, and how it is called."""

import functools
import importlib
import inspect
import math
import re
import sys

import numpy as np

from iql_ros.files import InputError, shown

_NAME = re.compile(r'(?!.{300})[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*', re.ASCII)
_EXPECTED = 'a function of (observation, action, next_observation) in a module of your own'
_TRIED_ON = 0.5   # every value of what a function is tried on: few formulas break there


def load_function(name: str, where: str, observation_dim: int, action_dim: int):
    """
    Import a task function, see that it is one, and return what calls it as a float.

    It is one when it takes three arguments, is neither a class nor built in nor of Python's own
    library, and gives a number. It is called once to see that, not before all else has been
    found right.

    Args:
        name: module:function.
        where: Named in errors.
        observation_dim: Length of the observation that it is tried on.
        action_dim: Length of the action.

    Raises:
        InputError: for what cannot be imported or is no task function.

    """
    function = _import(name, where)
    _check_kind(function, name, where)

    def call(observation, action, next_observation):
        try:
            return float(function(observation, action, next_observation))
        except Exception as error:  # it is the user's: whatever it is, its name helps most
            reason = ' '.join(f'{type(error).__name__}: {error}'.split())
            raise InputError(f"{where}: '{name}' raised {reason}") from error

    _try(call, where, name, np.full(observation_dim, _TRIED_ON), np.full(action_dim, _TRIED_ON))
    return call


def source_file(name: str) -> str | None:
    """Return the file of a module:function that was loaded; None where there is none."""
    return getattr(sys.modules.get(name.partition(':')[0]), '__file__', None)


def _import(name: str, where: str):
    if name.startswith('TODO'):
        raise InputError(f"{where}: got '{name}'; fill it in: module:function, a number for every "
                         'tick, or a topic')
    module_name, _, function_name = name.partition(':')
    if not _NAME.fullmatch(name):
        raise InputError(f'{where}: got {shown(name)}, which cannot be imported; expected '
                         'module:function, of a module in PYTHONPATH')
    if _is_pythons(module_name):
        raise InputError(f"{where}: got '{name}', which is of Python's own library; expected "
                         f'{_EXPECTED}')
    try:
        return getattr(importlib.import_module(module_name), function_name)
    except (Exception, SystemExit) as error:  # a module of the user's may raise anything
        raise InputError(f"{where}: got '{name}', which cannot be imported "
                         f'({type(error).__name__}: {error}); expected module:function, of a '
                         'module in PYTHONPATH') from None


def _is_pythons(module_name: str | None) -> bool:
    return (module_name or '').partition('.')[0] in sys.stdlib_module_names


def _check_kind(function, name: str, where: str) -> None:
    """Refuse what is no task function, without calling it."""
    if not callable(function):
        raise InputError(f"{where}: got '{name}', which is not a function")
    inner = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    if inspect.isclass(inner) or inspect.isbuiltin(inner) or (
            inspect.isroutine(inner) and _is_pythons(getattr(inner, '__module__', None))):
        raise InputError(f"{where}: got '{name}', which is a class, built in or of Python's own "
                         f'library; expected {_EXPECTED}')
    try:
        taken = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        taken = ()
    needed = [each for each in taken if each.default is each.empty
              and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    if len(needed) != 3 or any(each.kind == each.KEYWORD_ONLY for each in needed):
        raise InputError(f"{where}: got '{name}', which does not take three arguments; expected "
                         f'{_EXPECTED}')


def _try(call, where: str, name: str, observation, action) -> None:
    try:
        value = call(observation, action, observation.copy())
    except InputError as error:
        if isinstance(error.__cause__, ArithmeticError | ValueError):
            return  # a formula that what it was tried on does not suit
        raise
    if not math.isfinite(value):
        raise InputError(f"{where}: '{name}' gave {value} for an observation and action of "
                         '0.5; expected a finite number')

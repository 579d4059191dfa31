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

"""The classes of ROS messages by their names."""

import functools
import importlib

from iql_ros.files import InputError


@functools.lru_cache(maxsize=None)
def message_class(type_name: str):
    """
    Return the class of `pkg/msg/Name`.

    Raises:
        InputError: when the package is not importable or has no such message.

    """
    package, _, name = type_name.partition('/msg/')
    try:
        return getattr(importlib.import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError):
        raise InputError(f"message type '{type_name}' is not installed; source the workspace "
                         'that has it') from None


def make_message(type_name: str):
    """Return an empty message of `pkg/msg/Name`."""
    return message_class(type_name)()

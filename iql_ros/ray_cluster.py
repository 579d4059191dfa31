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

"""A Ray cluster: one that is there, or one of this machine alone; Ray is imported only here."""

import contextlib
import logging
import os
from pathlib import Path
import socket

from iql_ros.files import InputError

_ANSWERS_WITHIN = 5.0   # [s]
# By the first Ray takes the loopback address of a machine, as it does where it has no clusters
_OF_THIS_MACHINE = {'RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER': '0', 'RAY_USAGE_STATS_ENABLED': '0'}
_LOOPBACK = {'127.0.0.1', '::1'}


@contextlib.contextmanager
def connected(address: str | None):
    """
    Yield Ray, connected.

    Args:
        address: HOST:PORT of a cluster, or auto; None: $RAY_ADDRESS, and without it a cluster of
            this machine alone, which only this machine can reach and which ends with this.

    Raises:
        InputError: without Ray, or where no cluster answers.

    """
    address = address or os.environ.get('RAY_ADDRESS')
    if address is None:
        os.environ.update(_OF_THIS_MACHINE)
    else:
        _check_that_it_answers(address)
        if _token_is_there():  # Ray itself looks for one only of its own accord
            os.environ.setdefault('RAY_AUTH_MODE', 'token')
    try:
        import ray
    except ImportError:
        raise InputError("--on ray needs Ray: pip install 'iql_ros[ray]'") from None
    try:
        ray.init(address or 'local', include_dashboard=None if address else False,
                 logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = ' '.join(str(error).split())
        raise InputError(f'Ray at {address or "this machine"}: {reason}; where it asks for a '
                         'token: RAY_AUTH_TOKEN, or ~/.ray/auth_token') from None
    try:
        if address is None:
            _check_that_it_is_alone(ray)
        yield ray
    finally:
        ray.shutdown()


def _token_is_there() -> bool:
    """Say whether there is a token, where Ray keeps it or is told of it."""
    return any(os.environ.get(name) for name in ('RAY_AUTH_TOKEN', 'RAY_AUTH_TOKEN_PATH')) or (
        Path.home() / '.ray' / 'auth_token').is_file()


def _check_that_it_is_alone(ray) -> None:
    """Refuse a cluster of ours that others can reach: they could run any command on it."""
    own = {node['NodeManagerAddress'] for node in ray.nodes()}
    if not own <= _LOOPBACK:
        raise InputError(f'Ray {ray.__version__} listens on {", ".join(sorted(own))}, where other '
                         'machines may reach it; start a cluster yourself and give --address')


def _check_that_it_answers(address: str) -> None:
    """Refuse soon: Ray itself tries for half a minute, and says so in many lines."""
    if address == 'auto':
        return
    host, _, port = address.removeprefix('ray://').rpartition(':')
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f'Ray address {address!r}: expected HOST:PORT, or auto')
    try:
        socket.create_connection((host, int(port)), _ANSWERS_WITHIN).close()
    except OSError as error:
        raise InputError(f'Ray address {address}: nothing answers there ({error})') from None

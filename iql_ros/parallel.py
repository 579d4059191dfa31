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

"""The same work on many things at once: by processes of this machine, or on a Ray cluster."""

from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
import contextlib
import functools
import multiprocessing
import os
import signal

from iql_ros.files import InputError
from iql_ros.interrupts import END_WITH_PARENT, end_with_parent
from iql_ros.ray_cluster import connected


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def mapping(on: str = 'here', jobs: int | None = None, address: str | None = None):
    """
    Yield a `map` whose results come in order; what its function raises is raised.

    Function and things must be such that another process can have them.

    Args:
        on: here (processes of this machine) or ray (a cluster).
        jobs: Processes of this machine; None: one a core; 1: this process itself.
        address: Of the cluster, see ray_cluster.connected.

    Raises:
        InputError: without Ray, or where no cluster answers; when a process is killed.

    """
    if on == 'ray':
        with connected(address) as ray:
            yield functools.partial(_map_on_ray, ray)
    elif (jobs or cores()) == 1:
        yield map
    else:
        executor = ProcessPoolExecutor(jobs or cores(), multiprocessing.get_context('spawn'),
                                       _prepare)
        try:
            yield functools.partial(_map_here, executor)
        except BaseException:
            for process in list((executor._processes or {}).values()):
                process.kill()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


def _prepare() -> None:
    """Leave Ctrl-C to the process that started this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ[END_WITH_PARENT] = '1'
    end_with_parent()


def _map_here(executor, function, things):
    try:
        yield from executor.map(function, things)
    except BrokenExecutor:
        raise InputError('a process that worked on a part of it was killed, perhaps for want of '
                         'memory; --jobs 1 needs least') from None


def _map_on_ray(ray, function, things):
    task = ray.remote(_work).options(max_retries=3)
    references = [task.remote(function, thing, os.getcwd()) for thing in things]
    try:
        while references:
            yield ray.get(references.pop(0))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise InputError(f'Ray: {" ".join(str(error).split())}') from None


def _work(function, thing, folder):
    os.chdir(folder)  # paths may be relative
    return function(thing)

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

"""Trials as tasks of a Ray cluster: of one whose worker dies, Ray starts the rest elsewhere."""

import os
from pathlib import Path
import threading

from iql_ros.runs.run_directory import runs_folder
from iql_ros.sweeps.processes import run_trial

_RETRIES = 3      # of a trial whose worker dies
_LOOK = 0.5       # [s] between two looks
_PASSED_ON = ('MINARI_DATASETS_PATH', 'MUJOCO_GL', 'ROS_HOME')


def run_on_ray(trials, ray, resources: dict, stop: threading.Event, on_wait):
    """
    Train, and yield (trial, '' or what went wrong) as trials end.

    All machines see the same folders: of the runs, of the datasets, and the one worked in.

    Args:
        trials: What to train.
        ray: As ray_cluster.connected yields it.
        resources: What a trial needs, such as {'CPU': 1, 'GPU': 0.5}.
        stop: Once it is set, what runs is asked to save, and nothing more is begun.
        on_wait: Called several times a second.

    """
    has = ray.cluster_resources()
    for name, amount in resources.items():
        if amount > has.get(name, 0):
            print(f'note: a trial needs {name} {amount:g}, the cluster has {has.get(name, 0):g}: '
                  'trials wait until it has', flush=True)
    task = ray.remote(run_trial).options(
        max_retries=_RETRIES, num_cpus=resources.get('CPU', 1),
        num_gpus=resources.get('GPU', 0),
        resources={key: value for key, value in resources.items()
                   if key not in ('CPU', 'GPU')})
    place = (os.getcwd(), _environment())
    running = {task.remote(trial.arguments, trial.name, str(trial.log.absolute()),
                           *place): trial for trial in trials}
    asked = False
    while running:
        if stop.is_set() and not asked:
            asked = True
            for reference in running:
                ray.cancel(reference)
        ended, _ = ray.wait(list(running), timeout=_LOOK)
        for reference in ended:
            yield running.pop(reference), _words(ray, reference)
        on_wait()


def _words(ray, reference) -> str:
    try:
        return ray.get(reference)
    except ray.exceptions.TaskCancelledError:
        return 'interrupted'
    except ray.exceptions.RayError as error:
        return ' '.join(str(error).split())


def _environment() -> dict:
    """Return what a worker must know, with whole paths."""
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if 'MINARI_DATASETS_PATH' in known:
        known['MINARI_DATASETS_PATH'] = str(Path(known['MINARI_DATASETS_PATH']).absolute())
    return {**known, 'IQL_RUNS': str(runs_folder().absolute())}

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

"""
What is looked at in a process of its own: `python -m iql_ros.cli.doctor.probes NAME ...`.

A library that is broken raises here, ends the process or hangs in it; probing.py tells what
became of it. Every fact is one line of JSON on standard output, sent as soon as it is known.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import resource
import sys

_ARENA = ('<mujoco><worldbody><light pos="0 0 1"/><geom type="plane" size="1 1 1"/></worldbody>'
          '</mujoco>')


def main(arguments) -> None:
    """Run one probe, away from standard output, which belongs to its facts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash shall leave no file behind
    out = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    name, *rest = arguments
    try:
        for facts in PROBES[name](*rest):
            print(json.dumps(facts), file=out, flush=True)
    except Exception as error:  # a broken library raises every kind
        print(json.dumps({'error': _reason(error)}), file=out, flush=True)
    out.flush()
    os._exit(0)  # a library that crashes while it is unloaded has done its work


def _reason(error: Exception) -> str:
    return ' '.join(f'{type(error).__name__}: {error}'.split())


def libraries(*names):
    """Yield {name: version}, None for what is not installed, {'error': why} for what is broken."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            yield {name: None}
            continue
        try:
            module = importlib.import_module(name)
        except Exception as error:
            yield {name: {'error': _reason(error)}}
        else:
            yield {name: _version(module)}


def _version(module) -> str:
    try:
        return importlib.metadata.version(module.__name__)
    except importlib.metadata.PackageNotFoundError:
        return str(getattr(module, '__version__', 'version unknown'))


def torch():
    """Yield version, CUDA of the build, threads, and the names of the GPUs that compute."""
    import numpy as np
    import torch
    yield {'version': torch.__version__, 'cuda': torch.version.cuda,
           'threads': torch.get_num_threads()}
    torch.from_numpy(np.zeros(1)).numpy()  # two that were built for different ones refuse here
    gpus = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            float(torch.zeros(1, device=f'cuda:{index}').exp())
            gpus.append(torch.cuda.get_device_name(index))
    yield {'gpus': gpus}


def ros(*messages):
    """Yield version and place of rclpy, the RMW, and which message packages are missing."""
    rclpy = importlib.import_module('rclpy')
    yield {'version': _version(rclpy), 'place': os.path.dirname(rclpy.__file__)}
    rmw = importlib.import_module('rclpy.utilities').get_rmw_implementation_identifier()
    yield {'rmw': rmw}
    yield {'missing': [name for name in messages if importlib.util.find_spec(name) is None]}


def minari():
    """Yield the ids of the local datasets; makes their folder, so only where it exists."""
    from iql_ros.data.minari_store import local_datasets
    yield {'datasets': local_datasets()}


def drawing():
    """Yield by what MuJoCo draws, once it has drawn a frame."""
    mujoco = importlib.import_module('mujoco')
    yield {'imported': True}
    model = mujoco.MjModel.from_xml_string(_ARENA)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = mujoco.Renderer(model, 16, 16)
    renderer.update_scene(data)
    if not renderer.render().any():
        raise RuntimeError('the frame is empty')
    yield {'drawn': True}


PROBES = {'libraries': libraries, 'torch': torch, 'ros': ros, 'minari': minari,
          'drawing': drawing}

if __name__ == '__main__':
    main(sys.argv[1:])

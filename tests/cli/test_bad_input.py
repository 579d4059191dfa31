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

"""Tests for bad input: one line, exit code 2, nothing written."""

import re

import numpy as np
import pytest

from iql_ros.files import share_folder
from tests.cli.command import code_of, files_in, flat_file


BAD_INPUTS = [
    ([], 'required: COMMAND'),
    (['fly'], "unknown command 'fly'; allowed: convert, "),
    (['convert', 'a.hdf5'], 'required: --dataset'),
    (['convert', 'a.hdf5', '--dataset', 'a'], "dataset id 'a': expected NAME/x-v0"),
    (['convert', 'absent.h5', '--dataset', 'test/a-v0'], 'absent.h5: no such file'),
    (['convert', 'wide.hdf5', '--dataset', 'test/a-v0'], '--env ID or --action-low'),
    (['convert', 'nan.hdf5', '--dataset', 'test/a-v0'], 'rewards of episode 1, row 2: got nan'),
    (['convert', 'cut.hdf5', '--dataset', 'test/a-v0'], 'cut.hdf5: cannot be read as HDF5'),
    (['convert', 'a.hdf5', 'nan.hdf5', '--dataset', 'test/a-v0'], 'is converted alone'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--env', 'Pendulm-v1'], 'Pendulum-v1'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--env', 'MountainCarContinuous-v0'],
     'has 3 observation and 1 action values; MountainCarContinuous-v0 has 2 and 1'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--action-low', 'x'],
     'got x; expected a finite number'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--action-low', '0', '0',
      '--action-high', '1'], '--action-low: got 2 values; expected 1 or 1'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--robot-config', 'task.yaml'],
     '--robot-config is for bags'),
    (['convert', 'a_bag', '--dataset', 'test/a-v0'], 'a_bag: bags need --robot-config'),
    (['inspect', 'cut.hdf5'], 'cannot be read as HDF5'),
    (['inspect', 'test/absent-v0'], "unknown dataset 'test/absent-v0'"),
    (['train', '--dataset', 'D4RL/door/human-v2'],
     r"\(in .*minari\); if it is one of Minari's: .*minari download D4RL/door/human-v2$"),
    (['inspect', 'text.safetensors'], 'text.safetensors: is not a checkpoint'),
    (['train'], '--dataset ID is missing'),
    (['train', '--dataset', 'cut.hdf5'], 'cannot be read as HDF5'),
    (['train', '--dataset', 'a.hdf5', '--set', 'expectil=0.8'], "did you mean 'expectile'"),
    (['train', '--dataset', 'a.hdf5', '--set', 'expectile=high'], "got 'high'; expected float"),
    (['train', '--dataset', 'a.hdf5', '--set', 'expectile=1.5'], '0 < expectile < 1'),
    (['train', '--dataset', 'a.hdf5', '--set', 'expectile'], 'expected KEY=VALUE'),
    (['train', '--dataset', 'a.hdf5', '--config', 'robt'], "did you mean 'robot'"),
    (['train', '--dataset', 'a.hdf5', '--config', 'absent.yaml'], 'absent.yaml: cannot be read'),
    (['train', '--dataset', 'a.hdf5', '--name', '../x'], "name: got '../x'"),
    (['train', '--dataset', 'a.hdf5', '--resume'], 'nothing to resume'),
    (['train', '--resume', '--name', 'absent'], "run 'absent': .* nothing to resume"),
    (['train', '--resume'], '--dataset ID is missing'),
    (['train', '--dataset', 'a.hdf5', '--env', 'Absent-v0'], 'Absent-v0'),
    (['train', '--dataset', 'a.hdf5', '--robot-config', 'absent.yaml'], 'absent.yaml: cannot be'),
    (['train', '--dataset', 'a.hdf5', '--robot-config', 'task.yaml'], "unknown key 'rewrd'"),
    (['train', '--dataset', 'a.hdf5', '--set', 'seed=.inf'], 'seed: got inf; expected int'),
    (['train', '--dataset', 'a.hdf5', '--seeds', '5-2'], r'got 5-2; expected how many \(3\), a'),
    (['train', '--dataset', 'a.hdf5', '--seeds', '2', '--set', 'seed=1'], '--seeds says them'),
    (['sweep', '--set', 'expectile=0.7,0.9'], '--dataset ID is missing'),
    (['sweep', '--dataset', 'a.hdf5', '--seeds', 'one'], 'got one; expected how many'),
    (['sweep', '--dataset', 'a.hdf5', '--set', 'expectil=0.7,0.9'], "did you mean 'expectile'"),
    (['sweep', '--dataset', 'a.hdf5', '--set', 'expectile=0.7,1.5'], '0 < expectile < 1'),
    (['sweep', '--dataset', 'a.hdf5', '--set', 'expectile=0.7,0.7'], 'two trials would be called'),
    (['sweep', '--dataset', 'a.hdf5', '--set', 'seed=1,2'], 'varies no seed; there is --seeds'),
    (['sweep', '--dataset', 'a.hdf5', '--set', 'expectile'], 'expected KEY=VALUE'),
    (['sweep', '--dataset', 'absent.hdf5', '--set', 'expectile=0.7,0.9'], 'no such file'),
    (['sweep', '--dataset', 'a.hdf5', '--env', 'Absent-v0'], 'Absent-v0'),
    (['sweep', '--dataset', 'a.hdf5', '--on', 'moon'], "unknown place 'moon'; allowed: here, ray"),
    (['sweep', '--dataset', 'a.hdf5', '--address', 'a:1'], '--address is for --on ray'),
    (['sweep', '--dataset', 'a.hdf5', '--on', 'ray', '--address', '127.0.0.1:9'],
     'Ray address 127.0.0.1:9: nothing answers there'),
    (['sweep', '--dataset', 'a.hdf5', '--on', 'ray', '--address', 'here'], 'expected HOST:PORT'),
    (['sweep', '--dataset', 'a.hdf5', '--name', 'a/b'], 'of a sweep it has no /'),
    (['sweep', '--resume', '--name', 'absent'], "sweep 'absent': .* nothing to resume"),
    (['convert', 'a_bag', '--dataset', 'test/a-v0', '--robot-config', 'diffbot.yaml', '--on',
      'ray', '--jobs', '2'], '--jobs is for this machine'),
    (['inspect', 300 * 'a'], 'File name too long'),
    (['inspect', 'narrow.hdf5'], 'has 0 observation and 1 action values; expected at least one'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--seed', '-1'], 'whole number, 0 or more'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--csv', '.'], 'is a folder; expected a file'),
    (['benchmark', '--json', 'no/a.json'], 'folder does not exist'),
    (['evaluate', 'text.safetensors', '--env', 'Pendulum-v1'], 'is not a checkpoint'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1'], 'absent: cannot be read'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--episodes', '0'], 'number, 1 or more'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--csv', 'no/a.csv'], 'folder does not exist'),
    (['evaluate', 'absent'], '--env ID is missing'),
    (['evaluate', '--env', 'Pendulum-v1'], 'CHECKPOINT: got 0 of them; expected one, or two with'),
    (['evaluate', 'absent', 'b', '--env', 'Pendulum-v1'], 'CHECKPOINT: got 2 of them'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--sequential'], 'got 1 checkpoint'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--error', '0.1'], '--error is for --sequ'),
    (['evaluate', 'a', 'b', '--env', 'Pendulum-v1', '--sequential', '--error', '1'], '0 < err'),
    (['evaluate', 'a', '--sequential', '--results', 'b', 'c'], 'CHECKPOINT: got .*; --results'),
    (['evaluate', '--sequential', '--results', 'b', 'c'], 'b: cannot be read'),
    (['evaluate', '--sequential', '--results', 'task.yaml', 'c'], 'task.yaml: is no file of'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--choice', 'bst'], "did you mean 'best'"),
    (['compare'], 'the following arguments are required: RUN'),
    (['compare', 'absent'], 'absent: cannot be read'),
    (['compare', 'text.safetensors', 'absent'], 'is not a checkpoint'),
    (['compare', 'absent', '--choice', 'wighted'], "did you mean 'weighted'"),
    (['compare', 'absent', '--report', 'no/a.html'], 'folder does not exist'),
]


@pytest.mark.parametrize('arguments, message', BAD_INPUTS,
                         ids=[' '.join(arguments) or 'nothing' for arguments, _ in BAD_INPUTS])
def test_bad_input_ends_with_one_line_and_code_2_and_nothing_written(workplace, capsys,
                                                                     arguments, message):
    flat_file()
    flat_file('wide.hdf5', high=3.0)
    flat_file('narrow.hdf5', observations=np.zeros((40, 0)))
    robot = (share_folder() / 'config' / 'robots' / 'diffbot.yaml').read_text()
    (workplace / 'task.yaml').write_text(robot.replace('  reward:', '  rewrd:'))
    flat_file('nan.hdf5', rewards=np.where(np.arange(40) == 12, np.nan, 1.0))
    (workplace / 'cut.hdf5').write_bytes((workplace / 'a.hdf5').read_bytes()[:2500])
    (workplace / 'text.safetensors').write_text('not a checkpoint')
    before = files_in(workplace)
    code = code_of(arguments)
    error = capsys.readouterr().err
    assert code == 2
    assert re.search(message, error) and error.count('\n') == 1
    assert error.startswith('iql-ros')
    assert set(files_in(workplace)) - set(before) <= {'minari'}

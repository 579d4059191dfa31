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

"""Converts bags by the command, in a folder of a test's own."""

import numpy as np

from iql_ros.cli import cli
from iql_ros.data.datasets import load_dataset
from tests.data.bags.oddities import ROBOT


class Workplace:
    """A test's own folder, its datasets, and the command."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys

    def arguments(self, bag, robot=ROBOT, allow=(), dataset='odd/drive-v0'):
        (self.folder / 'robot.yaml').write_text(robot)
        return ['convert', str(bag), '--robot-config', str(self.folder / 'robot.yaml'),
                '--dataset', dataset, *(word for name in allow for word in ('--allow', name))]

    def convert(self, bag, robot=ROBOT, allow=(), dataset='odd/drive-v0'):
        """Return the converted dataset."""
        code = cli.main(self.arguments(bag, robot, allow, dataset))
        assert code == 0, self._capsys.readouterr().err
        return load_dataset(dataset)

    def refusal(self, bag, robot=ROBOT, allow=()):
        """Return the one line in which a bag is refused; nothing half-written may be left."""
        self._capsys.readouterr()
        assert cli.main(self.arguments(bag, robot, allow)) == 2
        return self.check_refused()

    def check_refused(self, text=None):
        text = self._capsys.readouterr().err if text is None else text
        assert text.count('\n') == 1 and text.startswith('iql-ros') and len(text) < 1000, text
        assert not list((self.folder / 'datasets').rglob('*.hdf5'))
        return text


def same(dataset, episode):
    """Say whether a dataset holds an episode and nothing else."""
    return (np.array_equal(dataset.observations, episode.observations[:-1])
            and np.allclose(dataset.actions, episode.actions, atol=1e-6))

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

"""Tests for report.py."""

import json
import re

import numpy as np
import pytest
import yaml

from iql_ros.files import InputError
from iql_ros.runs.report import find_cloning_runs, read_metrics, write_run_report


def make_run(folder, *, evaluated=True, fingerprint='f00', **config):
    """Write what a run directory holds, three rows of metrics."""
    folder.mkdir(parents=True)
    (folder / 'config.yaml').write_text(yaml.safe_dump(
        {'algorithm': 'iql', 'expectile': 0.9, 'evaluation_episodes': 5, **config}))
    (folder / 'dataset.json').write_text(json.dumps(
        {'name': 'robot/drive-v0', 'fingerprint': fingerprint, 'clipped': 0.0125,
         'returns': [-30.0, -20.0, -10.0, -40.0]}))
    rows = ['step,value/loss,critic/loss,actor/loss,evaluation/return_mean,evaluation/return_std',
            '100,0.5,3.0,1.0,,', '200,0.4,2.0,0.9,-15.5,2.0', '300,0.3,1.0,0.8,-12.25,1.5']
    if not evaluated:
        rows = [','.join(row.split(',')[:4]) for row in rows]
    (folder / 'metrics.csv').write_text('\n'.join(rows) + '\n')
    return folder


def test_a_report_is_one_file_that_needs_no_network(tmp_path):
    path = write_run_report(make_run(tmp_path / 'run'))
    text = path.read_text()
    assert path == tmp_path / 'run' / 'report.html'
    sources = re.findall(r'(?:src|href)="([^"]{0,22})', text)
    assert len(sources) == 3 and set(sources) == {'data:image/png;base64,'}
    assert 'http' not in re.sub(r'base64,[^"]*', '', text) and '<script' not in text
    for fact in ('-12.2 ± 1.5', 'expectile', '0.9', 'robot/drive-v0', '1.25%'):
        assert fact in text


def test_a_run_without_evaluation_says_so(tmp_path):
    text = write_run_report(make_run(tmp_path / 'run', evaluated=False)).read_text()
    assert 'was not evaluated' in text
    assert text.count('data:image/png') == 2


def test_clonings_of_the_same_data_beside_the_run_are_compared_with(tmp_path):
    run = make_run(tmp_path / 'iql')
    make_run(tmp_path / 'bc', algorithm='bc')
    make_run(tmp_path / 'best', algorithm='bc', best_episodes=0.2)
    make_run(tmp_path / 'other_data', algorithm='bc', fingerprint='bad')
    make_run(tmp_path / 'other_iql')
    (tmp_path / 'broken').mkdir()
    (tmp_path / 'broken' / 'dataset.json').write_text('{')
    assert [path.name for path in find_cloning_runs(run)] == ['bc', 'best']
    text = write_run_report(run).read_text()
    assert 'Cloning (bc)' in text and 'Cloning of the best 20% (best)' in text
    assert 'other' not in text


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match='config.yaml: cannot be read'):
        write_run_report(tmp_path)
    assert not (tmp_path / 'report.html').exists()


def test_empty_cells_of_metrics_are_nan(tmp_path):
    path = tmp_path / 'metrics.csv'
    path.write_text('step,a\n1,\n2,0.5\n')
    metrics = read_metrics(path)
    np.testing.assert_array_equal(metrics['a'], [np.nan, 0.5])
    path.write_text('step,a\n')
    assert read_metrics(path) == {}

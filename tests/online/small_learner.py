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

"""A learner of a small fine-tuning run, and what it did."""

import csv
from pathlib import Path

import torch

from iql_ros.online.finetune import open_run
from tests.small_run import experience, settings


def start(resume=False, said=None, **changes):
    return open_run(settings(**changes), resume=resume,
                    on_say=[].append if said is None else said.append).learner


def kill(learner):
    """Let nothing of a learner be but its files, as they are."""
    learner.inbox._log._file.close()


def learn_all(learner):
    while learner.learn():
        pass
    return learner


def live(learner, steps, session=7, **changes):
    """Let a learner have the steps of a session one by one, learning from each at once."""
    for step in steps:
        learner.add(experience(step, session=session, **changes))
        learn_all(learner)
    return learner


def state(learner):
    average = learner._averaged.average
    return {**learner._agent.state(),
            **({} if average is None else {f'average.{name}': tensor for name, tensor
                                           in average.state_dict().items()})}


def assert_same(one, two):
    ours, theirs = state(one), state(two)
    assert set(ours) == set(theirs) and one.updates == two.updates
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def rows(name='run'):
    with open(Path('runs') / name / 'metrics.csv', newline='') as file:
        return list(csv.DictReader(file))

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

"""Tests for choice.py."""

import pytest

from iql_ros.files import InputError
from iql_ros.learner.choice import Choice


@pytest.mark.parametrize(('changes', 'message'), [
    ({'kind': 'bst'}, "unknown choice 'bst'.*'best'.*allowed: mean, weighted, best"),
    ({'samples': 0}, 'samples: got 0; allowed: 1 to 1024'),
    ({'samples': 1025}, 'samples: got 1025'),
    ({'inverse_temperature': -1.0}, 'choice_temperature: got -1.0; allowed: 0 to 1e'),
    ({'inverse_temperature': float('inf')}, 'choice_temperature: got inf'),
    ({'inverse_temperature': float('nan')}, 'choice_temperature: got nan')])
def test_what_cannot_be_chosen_by_is_refused_with_what_can(changes, message):
    with pytest.raises(InputError, match=message):
        Choice(**changes)


@pytest.mark.parametrize(('choice', 'words'), [
    (Choice(), 'mean'), (Choice('best', 8), 'best of 8 samples'),
    (Choice('weighted', 4, 2.0), 'weighted mean of 4 samples, temperature 2')])
def test_a_choice_has_words(choice, words):
    assert str(choice) == words


def test_what_is_said_takes_the_place_of_what_was_and_auto_says_nothing():
    said = Choice('weighted', 4, 2.0)
    assert said.but() == said.but('auto', None, None) == said
    assert said.but('best', 8) == Choice('best', 8, 2.0)
    assert said.but(inverse_temperature=0.0) == Choice('weighted', 4, 0.0)
    with pytest.raises(InputError, match='samples: got 0'):
        said.but(samples=0)

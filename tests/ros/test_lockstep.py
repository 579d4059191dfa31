"""Tests for nodes/lockstep.py."""

from iql_ros.nodes.control.lockstep import StepAssembler


def test_a_step_is_one_message_of_every_stream_with_its_stamp():
    steps = StepAssembler(['pose', 'reward'])
    steps.put(0, 100, 'a')
    assert steps.missing(100) == ['reward']
    steps.put(1, None, 'b')
    assert steps.missing(100) == [] and steps.values() == ['a', 'b']
    assert steps.missing(200) == ['pose']


def test_clearing_forgets_and_counts_what_was_waiting():
    steps = StepAssembler(['pose', 'reward'])
    steps.put(1, None, 'b')
    assert steps.clear() == 1
    assert steps.missing(0) == ['pose', 'reward']

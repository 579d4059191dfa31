"""Rewards and terminations of the robots in data/robots/."""


def forward_speed(observation, action, next_observation):
    """Return the speed ahead [m/s] of the TurtleBot."""
    return next_observation[4]


def backwards(observation, action, next_observation):
    """Say whether the TurtleBot drives back."""
    return next_observation[4] < -0.05


def clearance(observation, action, next_observation):
    """Return the distance [m] to the nearest thing that the scan saw."""
    return min(next_observation)


def near_zero(observation, action, next_observation):
    """Return minus the distance of the first value from zero."""
    return -abs(next_observation[0])


def at_zero(observation, action, next_observation):
    """Say whether the first value is near zero."""
    return abs(next_observation[0]) < 0.02

"""
Training and judging a policy without ROS, and what a run leaves behind.

Checkpoints, run directories, metrics and their report belong here; learning online does not.
"""

"""
The waist, the same for bags, simulator and robot: topics to vectors and back, task, gate, ticks.

Needs numpy and yaml alone: no torch, no rclpy. Messages are duck-typed, time is an argument.
"""

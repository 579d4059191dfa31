"""Learn robot controllers from recordings with Implicit Q-Learning and run them on ROS 2."""

__version__ = '0.1.0'

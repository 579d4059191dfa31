"""
Fine-tuning without ROS: the learner that goes on, experience and its log, weights, the guard.

Nothing here sends or hears a message: the nodes do, and hand over what they got.
"""

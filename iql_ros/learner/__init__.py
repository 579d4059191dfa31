"""
The learner in the authors' semantics: networks, losses and updates, the replay buffer.

Needs torch and numpy alone, and knows no robot, no file and no run.
"""

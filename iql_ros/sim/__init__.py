"""
Gymnasium environments of the robots in sim/, the drivers that recorded them, and simulated nodes.

Real robots and their topics are not known here; the models (MJCF) lie in the folder sim/.
"""

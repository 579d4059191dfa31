"""
What comes before training: Minari, D4RL HDF5 files and bags become datasets.

Reading, judging and describing belong here; what a run does with a dataset is in runs/.
"""

"""One thread for PyTorch: the tests' networks are small, and idle threads spin beside others."""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')

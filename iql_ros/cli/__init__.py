"""
The `iql-ros` command: arguments in, one of the package's functions, text and exit code out.

What a command does belongs to the family that it calls.
"""

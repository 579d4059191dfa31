"""
What `make demo` does, from the sample recording to a robot that gets better, and its report.

A tour of the other rooms: nothing that a user's own robot needs lives here.
"""

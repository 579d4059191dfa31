"""What every node stands on: its process, parameters, executor, lifecycle and diagnostics."""

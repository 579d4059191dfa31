"""Ctrl-C for long work: the first one is a request to save and end, the second one ends."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def first_interrupt():
    """Yield an event that the first Ctrl-C sets; a second one interrupts where it stands."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def on_interrupt(number, frame):
        signal.signal(signal.SIGINT, previous)
        event.set()

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)

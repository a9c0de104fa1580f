"""Ctrl-C and its like, handed to whatever is running."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from workbench.engine.control import ending_signals


@contextmanager
def interruptions(handle: Callable[[], None]) -> Iterator[None]:
    """Call `handle` when the person interrupts while the block runs; outside the main thread nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(_: int, __: FrameType | None) -> None:
        handle()

    before = {one: signal.signal(one, handler) for one in ending_signals()}
    try:
        yield
    finally:
        for one, earlier in before.items():
            signal.signal(one, earlier if earlier is not None else signal.SIG_DFL)


def give_up() -> NoReturn:
    """End the command where it stands."""
    raise KeyboardInterrupt

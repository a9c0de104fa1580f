"""How a person's hand reaches into a training that runs elsewhere."""

from __future__ import annotations

import signal
import threading


class StopRequestedError(Exception):
    """Raised inside the engine where it notices that it is to stop; it never leaves the engine."""


def ending_signals() -> list[signal.Signals]:
    """Ctrl-C, the polite request to end, and the closed terminal unless the person said to outlive it (nohup)."""
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)
    wanted = [signal.SIGINT, signal.SIGTERM]
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        wanted.append(hangup)
    return wanted


class Control:
    """Stop and pause, set from any thread and polled by the engine between chunks of tasks."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()

    @property
    def is_stopping(self) -> bool:
        """Whether stop was asked for."""
        return self._stop.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether pause was asked for and not taken back."""
        return not self._go.is_set()

    def stop(self) -> None:
        """Ask the engine to stop and keep what it has; a pause ends with it."""
        self._stop.set()
        self._go.set()

    def pause(self) -> None:
        """Ask the engine to wait; a stop that was asked for goes before it."""
        if not self.is_stopping:
            self._go.clear()

    def resume(self) -> None:
        """Let a paused engine go on."""
        self._go.set()

    def wait(self, seconds: float | None = None) -> None:
        """Block while paused, for so many seconds at most."""
        self._go.wait(seconds)

"""How far a command is, where there is no terminal."""

from __future__ import annotations

import pytest

from workbench.cli import progress
from workbench.cli.progress import LINE_SECONDS, Progress


def test_lines_are_sparse_and_say_how_long_it_takes_at_the_latest_pace(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with Progress(1000, title="training", unit="steps") as told:
        for done, clock[0] in ((10, 1.0), (100, LINE_SECONDS + 1), (101, LINE_SECONDS + 2), (901, 3 * LINE_SECONDS)):
            told.move_to(done, "meta-loss 0.5")
    first, second = capsys.readouterr().err.splitlines()
    assert first == "training 100 of 1,000 steps, meta-loss 0.5, about 1 min 39 s left"
    assert second.startswith("training 901 of 1,000 steps, meta-loss 0.5, about 2.")


def test_what_has_no_end_or_has_not_begun_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    for total, done in ((0, 40), (100, 0)):
        with Progress(total, title="reading", unit="files") as told:
            clock[0] += LINE_SECONDS + 1
            told.move_to(done)
    assert "left" not in capsys.readouterr().err

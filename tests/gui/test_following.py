"""Following runs that another program trains."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SECONDS, SHORT
from tests.gui.plots.histories import block, started
from workbench.experiment.resolve import resolve
from workbench.gui.following import Found, Place, read_on
from workbench.gui.jobs import Jobs
from workbench.gui.window import MainWindow
from workbench.runs import record
from workbench.runs.files import RunFileError
from workbench.runs.record import Record
from workbench.runs.store import RunStore

FIRST = "maml-sinusoids-0001"


def append(path: Path, *events: Any) -> None:
    """Write events as the program that trains would."""
    log = Record(path)
    for event in events:
        log.append(event)
    log.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A record of ten steps."""
    made = tmp_path / "events.jsonl"
    append(made, started(), block(1, 10))
    return made


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What kinds of events have been decoded."""
    kinds: list[str] = []
    decode: Callable[[dict[str, Any]], Any] = record._event

    def counted(table: dict[str, Any]) -> Any:
        kinds.append(table["event"])
        return decode(table)

    monkeypatch.setattr(record, "_event", counted)
    return kinds


def test_only_what_was_appended_is_read_again(path: Path, decoded: list[str]) -> None:
    first = read_on(path, None)
    assert first.history is not None
    assert first.history.step == 10
    append(path, block(11, 10), block(21, 10))
    decoded.clear()
    second = read_on(path, first.place)
    assert second.history is None
    assert [event.last for event in second.appended] == [20, 30]  # type: ignore[union-attr]
    assert decoded == ["steps", "steps"]
    assert read_on(path, second.place).appended == ()


def test_a_line_that_is_still_being_written_waits_for_its_end(path: Path) -> None:
    place = read_on(path, None).place
    whole = path.read_bytes()
    append(path, block(11, 10))
    line = path.read_bytes().removeprefix(whole)
    path.write_bytes(whole + line[:40])
    found = read_on(path, place)
    assert found.appended == ()
    path.write_bytes(whole + line)
    assert len(read_on(path, found.place).appended) == 1


def test_a_record_that_was_cut_back_is_read_anew(path: Path) -> None:
    short = path.read_bytes()
    append(path, block(11, 10))
    place = read_on(path, None).place
    path.write_bytes(short)
    assert read_on(path, place).history is not None
    append(path, started(), block(11, 5), block(16, 5), block(21, 5))
    assert place is not None
    assert path.stat().st_size > place.end
    anew = read_on(path, place)
    assert anew.history is not None
    assert anew.history.step == 25


def test_a_damaged_line_is_counted_from_the_first(path: Path) -> None:
    place = read_on(path, None).place
    with path.open("a", encoding="utf8") as file:
        file.write(json.dumps({"event": "nothing"}) + "\n")
    with pytest.raises(RunFileError, match="line 3"):
        read_on(path, place)


def test_a_run_that_has_said_nothing_yet_has_an_empty_history(tmp_path: Path) -> None:
    found = read_on(tmp_path / "events.jsonl", None)
    assert found.history is not None
    assert found.history.revision == 0
    append(tmp_path / "events.jsonl", started())
    again = read_on(tmp_path / "events.jsonl", found.place)
    assert again.history is not None
    assert again.history.revision == 1


def test_the_plots_history_of_a_run_trained_elsewhere_grows(
        qtbot: QtBot, window: MainWindow, runs_folder: Path, decoded: list[str]) -> None:
    run = RunStore(runs_folder).create(resolve(SHORT))
    append(run.record, started(), block(1, 10))
    desk = window.desk
    desk.look_at_disk()
    desk.model.tick(FIRST)
    qtbot.waitUntil(lambda: desk.history(FIRST) is not None, timeout=SECONDS)
    history = desk.history(FIRST)
    assert history is not None
    decoded.clear()
    for first in (11, 21, 31):
        append(run.record, block(first, 10))
        desk.look_at_disk()
        qtbot.waitUntil(lambda step=first + 9: history.step == step, timeout=SECONDS)
    assert desk.history(FIRST) is history
    assert decoded == ["steps"] * 3


def test_what_comes_while_a_record_is_read_is_read_at_the_next_look(
        qtbot: QtBot, window: MainWindow, runs_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunStore(runs_folder).create(resolve(SHORT))
    append(run.record, started())
    desk = window.desk
    desk.look_at_disk()
    desk.model.tick(FIRST)
    qtbot.waitUntil(lambda: desk.history(FIRST) is not None, timeout=SECONDS)
    history = desk.history(FIRST)
    assert history is not None
    has_read, may_end = Event(), Event()

    def slowly(path: Path, place: Place | None) -> Found:
        found = read_on(path, place)
        has_read.set()
        may_end.wait()
        return found

    monkeypatch.setattr("workbench.gui.desk.read_on", slowly)
    append(run.record, block(1, 10))
    desk.look_at_disk()
    assert has_read.wait(SECONDS / 1000)
    append(run.record, block(11, 10))
    desk.look_at_disk()
    may_end.set()
    qtbot.waitUntil(lambda: history.step >= 10, timeout=SECONDS)
    desk.look_at_disk()
    qtbot.waitUntil(lambda: history.step == 20, timeout=SECONDS)


def test_a_forgotten_job_s_result_is_not_taken_for_the_next_one_s(qtbot: QtBot) -> None:
    jobs = Jobs()
    ended: list[str] = []
    jobs.job_ended.connect(lambda done: ended.append(done.result))
    gate = Event()

    def old() -> str:
        gate.wait()
        return "old"

    jobs.start("one", old)
    jobs.forget("one")
    jobs.start("one", lambda: "new")
    gate.set()
    qtbot.waitUntil(lambda: bool(ended), timeout=SECONDS)
    jobs.close()
    assert ended == ["new"]

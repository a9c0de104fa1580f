"""Short work beside the window."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from workbench.gui.jobs import Done, Jobs


def test_of_jobs_with_the_same_key_only_the_latest_counts(qtbot: QtBot) -> None:
    jobs = Jobs()
    ended: list[Done] = []
    jobs.job_ended.connect(ended.append)
    for number in range(5):
        jobs.start("number", lambda number=number: number)  # type: ignore[misc]
    qtbot.waitUntil(lambda: not jobs.is_busy("number"))
    assert [done.result for done in ended] == [4]
    jobs.close()


def test_nothing_begins_after_the_end(qtbot: QtBot) -> None:
    jobs = Jobs()
    done: list[int] = []
    jobs.close()
    jobs.start("late", lambda: done.append(1))
    assert not jobs.is_busy("late")
    jobs.close()
    assert done == []

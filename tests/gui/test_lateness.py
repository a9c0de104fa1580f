"""How late the window is, counted and kept beside the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench.gui.lateness import FILE, Ledger, Repaints, Spread, append, read

MILLISECONDS = st.floats(0, 1e4, allow_nan=False)


@given(st.lists(MILLISECONDS, min_size=1), st.sampled_from([50.0, 99.0, 100.0]))
def test_so_many_per_cent_do_not_exceed_the_percentile_and_fewer_fall_short_of_it(times: list[float],
                                                                                  share: float) -> None:
    spread = Spread()
    for one in times:
        spread.add(one)
    found = spread.percentile(share)
    assert np.mean(np.array(times) <= found) >= share / 100 - 1e-9
    assert np.mean(np.array(times) < found - 0.05 - 1e-9) < share / 100 or found == 0
    assert spread.worst == max(times)
    assert found <= spread.worst


def test_a_loop_that_was_held_up_was_late_for_everything_that_was_due_meanwhile() -> None:
    ledger = Ledger()
    for _ in range(96):
        ledger.looked(0.5, 20)
    ledger.looked(70, 20)
    second = ledger.close_second(0.0)
    assert second.samples == 96 + 4
    assert second.late_worst == second.whole_worst == 70
    assert second.late == 50.05
    assert ledger.close_second(0.0).late_worst == 0
    assert ledger.close_second(0.0).whole_worst == 70


def test_what_was_kept_with_a_run_is_read_back(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.looked(3.0, 20)
    ledger.drained(2)
    ledger.drained(0)
    ledger.repainted("Meta-loss", 0.004)
    ledger.repainted("Meta-loss", 0.006)
    first = ledger.close_second(1234.56)
    append(tmp_path, first)
    append(tmp_path, ledger.close_second(0.0))
    assert first.repaints == {"Meta-loss": Repaints(2, 5.0, 6.0)}
    assert (first.ticks, first.events, first.most_events, first.tasks_per_second) == (2, 2, 2, 1234.6)
    found = list(read(tmp_path))
    assert found[0] == first
    assert len(found) == 2


def test_a_line_that_was_cut_off_is_passed_over_and_a_folder_that_is_gone_is_no_mistake(tmp_path: Path) -> None:
    second = Ledger().close_second(0.0)
    append(tmp_path, second)
    with (tmp_path / FILE).open("a", encoding="utf8") as file:
        file.write('{"time": 1')
    assert list(read(tmp_path)) == [second]
    append(tmp_path / "gone", second)
    assert list(read(tmp_path / "gone")) == []

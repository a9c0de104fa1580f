"""The chart of the learning protocol: drawn from what the cells kept, the same every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmarks.learning_chart import draw


def cell(problem: str, algorithm: str, seed: int, mean: float, *, metric: str = "accuracy") -> dict[str, Any]:
    validation = [{"seconds": 10.0 * at, "step": 5 * at, "mean": mean * at / 4, "ci95": 0.01} for at in range(1, 5)]
    return {"problem": problem, "algorithm": algorithm, "seed": seed, "metric": metric, "mean": mean,
            "validation": validation}


def test_every_method_has_a_plot_the_best_first_and_the_same_results_the_same_file(tmp_path: Path) -> None:
    known = [cell("pictures", "maml", seed, 0.9) for seed in (0, 1)]
    known += [cell("pictures", "protonet", 0, 0.95), cell("pictures", "scratch", 0, 0.3)]
    known += [cell("waves", "maml", 0, 0.4, metric="mse"), cell("waves", "ridge", 0, 0.1, metric="mse")]
    for name in ("one.svg", "other.svg"):
        draw(known, ["pictures", "waves", "nothing"], tmp_path / name)
    text = (tmp_path / "one.svg").read_text(encoding="utf8")
    assert text == (tmp_path / "other.svg").read_text(encoding="utf8")
    order = [text.index(f">{name}<") for name in ("protonet", "maml", "scratch", "ridge")]
    assert order == sorted(order)
    assert "accuracy, %" in text
    assert "mean squared error" in text
    assert "nothing" not in text


def test_where_no_cell_kept_its_validations_there_is_no_chart(tmp_path: Path) -> None:
    older = {name: value for name, value in cell("pictures", "maml", 0, 0.9).items() if name != "validation"}
    path = tmp_path / "chart.svg"
    path.write_text("an earlier one", encoding="utf8")
    draw([older], ["pictures"], path)
    assert not path.exists()

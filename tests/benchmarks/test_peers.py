"""The comparison with other libraries compares like with like, and its table says what the numbers say."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.peers import floor, ours, report
from tests.benchmarks.peers.candidate import OURS, PEERS
from tests.benchmarks.peers.measuring import ALL, TOLERANCE, Effort, Field, Turn, difference, missing_peers, turns
from tests.benchmarks.peers.problem import Problem, draw, load
from tests.benchmarks.peers.workloads import WORKLOADS

SMALL = ("training.meta_batch=3", "dataset=glyphs", "backbone.filters=4")
PROBLEMS = {
    "maml-sinusoids-5": ("training.meta_batch=3",),
    "maml-omniglot-5": (*SMALL, "algorithm.inner_steps=2"),
    "maml-pictures-5": ("training.meta_batch=2", "backbone.filters=4", "algorithm.inner_steps=2"),
    "protonet-omniglot": SMALL,
    "reptile-omniglot": (*SMALL, "algorithm.inner_steps=3"),
}


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Problem]:
    folder = tmp_path_factory.mktemp("problems")
    return {name: draw(WORKLOADS[name].with_settings(*more).settings, folder).to("cpu", torch.float64)
            for name, more in PROBLEMS.items()}


def gradient_of(module: str, way: str, problem: Problem) -> list[torch.Tensor]:
    candidate = importlib.import_module(f"tests.benchmarks.peers.{module}").make(problem.to("cpu", torch.float64), way)
    with candidate.running():
        candidate.step()
        return candidate.gradient()


def installed(method: str) -> list[tuple[str, str]]:
    """Ours and the peers that are at hand. TorchOpt's own example of vmap is left out where batches are normalized:
    the backward pass of a mapped batch normalization is wrong in torch 2.13, which is why it is refused there."""
    found = [(OURS, way) for way in ours.ways()]
    found += [(peer.name, way) for peer in PEERS if peer.name not in missing_peers()
              for way, methods in peer.ways.items() if method in methods]
    return [one for one in found if one != ("torchopt", "vmap")]


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_whoever_is_installed_gives_our_meta_gradient(problems, name):
    problem = problems[name]
    reference = gradient_of(OURS, ours.ways()[0], problem)
    assert [value.shape for value in reference] == [value.shape for value in problem.params.values()]
    for module, way in installed(problem.about.method):
        assert difference(gradient_of(module, way, problem), reference) < TOLERANCE, f"{module} ({way})"


def test_every_adapter_is_named_with_what_has_to_be_installed():
    for peer in PEERS:
        assert importlib.util.find_spec(f"tests.benchmarks.peers.{peer.name}") is not None
        assert {method for methods in peer.ways.values() for method in methods} <= {"maml", "reptile", "protonet"}
        assert peer.name in report.COLORS


def test_a_problem_is_read_as_it_was_written(problems, tmp_path):
    for problem in problems.values():
        problem.save(tmp_path / "problem")
        again = load(tmp_path / "problem")
        assert again.about == problem.about
        assert list(again.params) == list(problem.params)
        for one, other in zip([*again.params.values(), *again.support, *again.query],
                              [*problem.params.values(), *problem.support, *problem.query], strict=True):
            assert torch.equal(one, other)


@given(st.floats(1e-5, 1.0), st.integers(0, 3))
def test_the_difference_is_relative_to_each_weight_tensor(share, index):
    reference = [torch.full((2, 3), 10.0 ** -number, dtype=torch.float64) for number in range(4)]
    moved = [value.clone() for value in reference]
    moved[index][1, 2] *= 1 + share
    assert difference(moved, reference) == pytest.approx(share, rel=1e-6)
    assert difference(reference, reference) == 0


def test_gradients_that_are_no_numbers_or_of_other_shapes_differ_without_bounds():
    reference = [torch.ones(3)]
    assert difference([torch.tensor([1.0, torch.nan, 1.0])], reference) == torch.inf
    assert difference([torch.ones(4)], reference) == torch.inf


def test_operations_are_those_of_the_layers_and_grow_with_tasks_and_steps(problems):
    reptile = problems["reptile-omniglot"]
    twice = replace(reptile, about=replace(reptile.about, steps=2 * reptile.about.steps))
    assert floor.operations(twice) == 2 * floor.operations(reptile)
    more = replace(reptile, about=replace(reptile.about, tasks=2 * reptile.about.tasks))
    assert floor.operations(more) == 2 * floor.operations(reptile)
    sinusoids = problems["maml-sinusoids-5"]
    none = replace(sinusoids, about=replace(sinusoids.about, steps=0))
    # Forward, and backward by weights and inputs, of 10 queries through 1-40-40-1; the first layer needs no inputs'.
    of_layers = 2 * 10 * (2 * 40 + 3 * 40 * 40 + 3 * 40)
    assert floor.operations(none) == of_layers * none.about.tasks


def test_everybody_is_measured_in_turns(problems):
    problem = problems["maml-sinusoids-5"].to("cpu", torch.float32)
    told: list[str] = []
    with Field("maml", "cpu", Effort(rounds=2, seconds=0.01), ("higher",)) as field:
        found = field.measure(problem, told.append)
    timed = {f"{one['who']} {one['way']}": one for one in found["results"] if "median" in one}
    assert set(timed) == {*(f"{OURS} {way}" for way in ours.ways()), "higher loop"}
    assert all(len(one["seconds"]) == 2 and min(one["seconds"]) > 0 for one in timed.values())
    assert [one["is_chosen"] for one in timed.values() if one["who"] == OURS].count(True) == 1
    assert found["product_rate"] > 0
    assert found["operations"] == floor.operations(problem)
    left_out = {one["who"] for one in found["results"] if "refused" in one}
    assert left_out == set(ALL) - {"higher"}
    assert len(told) == len(found["results"])


def test_a_peer_that_is_not_installed_is_said_and_not_hidden():
    everybody = turns("maml", "cpu", ALL)
    assert {turn.who for turn in everybody} == {OURS, *ALL}
    assert {turn.who: turn.found["refused"] for turn in everybody if not turn.is_in} == missing_peers()
    assert "installed" in " ".join(missing_peers().values()) or not missing_peers()


def test_what_goes_wrong_in_a_process_is_told_as_the_reason():
    turn = Turn("higher", "loop", "cpu")
    turn.ask("open", path="/nowhere/at/all", dtype="float64")
    assert not turn.is_in
    assert "No such file" in turn.found["refused"]
    assert turn.ask("pace") == {}
    assert turn.process is None


def entry(name: str, ours_ms: float, peers_ms: dict[str, float], refused: dict[str, str] | None = None) -> dict:
    def timed(who: str, way: str, ms: float, room: int) -> dict:
        return {"who": who, "way": way, "difference": 1e-12, "seconds": [ms / 1e3] * 5, "median": ms / 1e3,
                "step_bytes": room * 2**20, "threads": 2}

    return {"workload": name, "device": "cpu", "rounds": 5, "operations": 10**9, "product_rate": 1e11,
            "about": {"method": "maml", "tasks": 25, "steps": 1, "settings": []}, "measured_at": "2026-01-01 00:00:00",
            "machine": {"processor": "a processor", "cores": 2, "memory_gib": 8, "system": "Linux",
                        "versions": {"torch": "2.13.0"}},
            "results": [timed(OURS, "vectorized", ours_ms, 10),
                        *(timed(who, "loop", ms, 8) for who, ms in peers_ms.items()),
                        *({"who": who, "way": "loop", "refused": why} for who, why in (refused or {}).items())]}


def row(table: str, *words: str) -> str:
    found = [line for line in table.splitlines() if line.startswith("|") and all(word in line for word in words)]
    assert len(found) == 1, found
    return found[0]


def test_the_table_says_which_goals_are_reached_and_by_how_much_others_are_missed():
    data = {"curves": {}, "workloads": {
        "maml-sinusoids-1@cpu": entry("maml-sinusoids-1", 10, {"learn2learn": 100, "higher": 12},
                                      {"torchopt": "torchopt 0.7.3 is not installed"}),
        "maml-omniglot-1@cpu": entry("maml-omniglot-1", 100, {"learn2learn": 150})}}
    table = report.table(data)
    assert row(table, "≥ 8× learn2learn, eager").endswith("| 10.00× (vectorized, over learn2learn (loop)) | reached |")
    assert row(table, "≥ 1.3× the fastest peer, eager").endswith("| **missed**, by 8 % |")
    assert "no executor of the engine is of that kind" in row(table, "≥ 25× learn2learn, compiled")
    assert row(table, "≥ 2× the fastest").endswith("(vectorized, over learn2learn (loop)) | **missed**, by 25 % |")
    # 10⁹ operations at 10¹¹ a second are 10 ms: a tenth of what ours takes.
    assert row(table, "30 % of the floor").endswith("| 10 % (vectorized) | **missed**, by 67 % |")
    assert "**missed**, by 2.0 MB" in row(table, "MAML Omniglot", "memory")
    assert "- torchopt (loop): not timed, torchopt 0.7.3 is not installed." in table
    assert "a processor, 2 cores, 8 GiB, Linux; torch 2.13.0" in table


@pytest.mark.parametrize(("slower_ms", "slower_room", "told"), [
    (60, 7, "7.0 MB (portions, 2.50×) against 8.0 MB; vectorized, the fastest, takes 10.0 MB | reached |"),
    (60, 9, "10.0 MB (vectorized, 3.00×) against 8.0 MB | **missed**, by 2.0 MB |"),
    (80, 7, "10.0 MB (vectorized, 3.00×) against 8.0 MB | **missed**, by 2.0 MB |")])
def test_memory_is_reached_only_together_with_the_time(slower_ms: float, slower_room: int, told: str):
    one = entry("maml-omniglot-1", 50, {"higher": 150}) | {"operations": 10**10}  # 100 ms: the floor is far
    fastest = one["results"][0]
    slower = fastest | {"way": "portions", "median": slower_ms / 1e3, "step_bytes": slower_room * 2**20}
    one["results"].insert(1, slower)
    table = report.table({"curves": {}, "workloads": {"maml-omniglot-1@cpu": one}})
    assert row(table, "memory ≤").endswith(told)


def test_memory_is_not_reached_by_what_is_too_slow():
    data = {"curves": {}, "workloads": {"maml-omniglot-1@cpu": entry("maml-omniglot-1", 100, {"higher": 150})}}
    data["workloads"]["maml-omniglot-1@cpu"]["results"][0]["step_bytes"] = 7 * 2**20
    assert row(report.table(data), "memory ≤").endswith("against 8.0 MB | **missed**, for it is not fast enough |")


def test_what_has_a_result_is_not_measured_again(tmp_path: Path):
    data = {"curves": {}, "workloads": {"maml-sinusoids-1@cpu": entry("maml-sinusoids-1", 10, {"higher": 12})}}
    (tmp_path / "peers.json").write_text(json.dumps(data), encoding="utf8")
    command = [sys.executable, "-m", "tests.benchmarks.peers", "--only", "maml-sinusoids-1", "--to", str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads((tmp_path / "peers.json").read_text(encoding="utf8")) == data
    assert (tmp_path / "peers.md").read_text(encoding="utf8") == report.table(data)
    has_charts = importlib.util.find_spec("matplotlib") is not None
    assert (tmp_path / "peers.svg").exists() == has_charts
    assert ("matplotlib is not installed" in done.stderr) != has_charts

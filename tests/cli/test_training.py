"""`run` and `resume`."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import TINY, say, start
from workbench.runs.store import RunStore


def test_a_run_prints_one_json_object_with_its_result(tmp_path: Path) -> None:
    said = say("run", *TINY, "--runs", tmp_path, "--json")
    table = said.table
    assert said.status == 0
    assert table["run_id"] == "maml-sinusoids-0001"
    assert Path(table["run_dir"]) == tmp_path / "maml-sinusoids-0001"
    assert (table["status"], table["steps"], table["device"]) == ("finished", 20, "cpu")
    assert table["seconds"] > 0
    assert table["meta_loss"] > 0
    assert table["evaluation"].keys() >= {"metric", "mean", "ci95", "tasks", "modes", "by_step"}
    assert (table["evaluation"]["metric"], table["evaluation"]["tasks"]) == ("mse", 20)
    assert len(table["evaluation"]["by_step"]) == 2


def test_a_dry_run_trains_nothing_and_says_what_it_would_take(tmp_path: Path) -> None:
    said = say("run", *TINY, "--runs", tmp_path, "--dry-run", "--json")
    table = said.table
    assert said.status == 0
    assert not list(tmp_path.iterdir())
    assert (table["device"], table["executor"], table["parameters"]) == ("cpu", "vectorized", 1761)
    memory = table["memory"]
    assert memory["total"] == memory["data"] + memory["learner"] + max(memory["training"], memory["testing"])
    assert memory["fits"]
    told = say("run", *TINY, "--dry-run").out
    assert "memory: about" in told
    assert "nothing was trained" in told


def test_a_dry_run_of_what_cannot_be_run_says_why() -> None:
    said = say("run", *TINY, "--dry-run", "--device", "cpu", "--set", "training.precision=tf32")
    assert said.status == 2
    assert "training.precision: TF32 is what NVIDIA GPUs compute in" in said.err


def test_a_field_that_was_set_in_vain_is_told_of_on_one_line(tmp_path: Path) -> None:
    settings = (*TINY, "--set", "algorithm=meta_sgd", "--set", "algorithm.inner_lr=0.3", "--set", "task.ways=5")
    said = say("run", *settings, "--runs", tmp_path)
    (told,) = (text for text in said.err.splitlines() if "has no effect" in text)
    assert told.startswith("note: algorithm.inner_lr has no effect: it matters only where algorithm.first_rates is ")
    assert "task.ways has no effect: Sinusoids is regression" in told
    assert "has no effect" not in say("run", *TINY, "--runs", tmp_path).err
    file = tmp_path / "meta_sgd-sinusoids-0001" / "experiment.toml"
    again = say("run", file, "--runs", tmp_path).err
    assert "algorithm.inner_lr has no effect" in again
    assert "task.ways" not in again  # it is what suits anyway


def test_a_run_without_json_says_the_same_in_words_and_progress_goes_to_standard_error(tmp_path: Path) -> None:
    said = say("run", *TINY, "--runs", tmp_path)
    assert "finished after 20 of 20 steps" in said.out
    assert re.search(r"test mse \S+ ± \S+ after \d+ inner steps? \(95 % interval over 20 tasks", said.out)
    assert "step 5 of 20, meta-loss" in said.err
    assert "step 5 of 20" not in said.out


def test_a_run_that_is_no_better_than_a_method_without_learning_says_so(tmp_path: Path) -> None:
    said = say("run", *TINY, "--set", "training.outer_lr=1e-9", "--runs", tmp_path)
    assert "no better than best without adapting, which learns nothing: mse 3.006" in said.out


def test_an_experiment_file_and_the_file_in_a_runs_folder_run_alike(tmp_path: Path, runs: Path) -> None:
    again = say("run", runs / "maml-sinusoids-0001" / "experiment.toml", "--runs", tmp_path, "--json").table
    first = say("resume", "maml-sinusoids-0001", "--runs", runs, "--json").table
    assert again["evaluation"]["mean"] == pytest.approx(first["evaluation"]["mean"], rel=1e-4)


def test_settings_go_before_the_preset_and_the_device_before_both(tmp_path: Path) -> None:
    say("run", "--preset", "maml-sinusoids", *TINY[2:], "--set", "device=nonsense", "--device", "cpu",
        "--set", "algorithm=fomaml", "--runs", tmp_path)
    experiment = RunStore(tmp_path).runs()[0].experiment()
    assert (experiment.algorithm.name, experiment.training.iterations, experiment.device) == ("fomaml", 20, "cpu")


def test_a_run_that_diverges_exits_with_one_and_says_how_to_mend_it(tmp_path: Path) -> None:
    said = say("run", *TINY, "--set", "algorithm.inner_lr=1000", "--set", "training.outer_lr=100",
               "--set", "training.optimizer=sgd", "--runs", tmp_path, "--json")
    assert said.status == 1
    assert said.table["status"] == "failed"
    assert "lower training.outer_lr" in said.table["message"]
    assert "lower training.outer_lr" in said.err


def test_resuming_a_finished_run_says_so_and_gives_its_result(runs: Path) -> None:
    said = say("resume", "maml-sinusoids-0001", "--runs", runs, "--json")
    assert said.status == 0
    assert "finished already" in said.err
    assert said.table["evaluation"]["tasks"] == 20


def test_an_interrupted_run_is_kept_and_resumed_it_ends_as_one_that_never_was(tmp_path: Path) -> None:
    long = (*TINY, "--set", "training.iterations=100")
    process = start("run", *long, "--runs", tmp_path, "--json")
    _wait_for(process, "step 5 of 100")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert f"`workbench resume maml-sinusoids-0001 --runs {tmp_path}`" in err
    assert json.loads(out)["status"] == "interrupted"
    assert say("list", "runs", "--runs", tmp_path, "--json").table["runs"][0]["status"] == "interrupted"

    resumed = say("resume", "maml-sinusoids-0001", "--runs", tmp_path, "--json")
    whole = say("run", *long, "--runs", tmp_path, "--json")
    assert (resumed.status, resumed.table["status"], resumed.table["steps"]) == (0, "finished", 100)
    assert resumed.table["evaluation"] == whole.table["evaluation"]
    assert resumed.table["meta_loss"] == whole.table["meta_loss"]


def test_a_second_interruption_aborts_at_once_and_the_last_checkpoint_is_kept(tmp_path: Path) -> None:
    process = start("run", *TINY, "--set", "training.iterations=100000", "--runs", tmp_path, "--json")
    _wait_for(process, "step 10 of")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 130
    run = RunStore(tmp_path).find("maml-sinusoids-0001")
    assert run.summary().status == "interrupted"
    assert run.state().step >= 0


def test_on_a_terminal_there_is_a_bar_with_rate_and_remaining_time(tmp_path: Path) -> None:
    here, there = os.openpty()
    process = start("run", *TINY, "--set", "training.iterations=30", "--runs", tmp_path, "--json", stderr=there)
    os.close(there)
    seen = ""
    try:
        while piece := os.read(here, 4096):
            seen += piece.decode(errors="replace")
    except OSError:  # a terminal whose other end is closed
        pass
    os.close(here)
    out, _ = process.communicate()
    assert process.returncode == 0, seen
    assert out.startswith("{")
    assert "30/30" in seen
    assert "steps/s" in seen
    assert "meta-loss" in seen


def _wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the command ended before it said '{text}'")


def test_a_run_goes_on_from_the_checkpoint_that_was_named(runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(runs / "maml-sinusoids-0001", tmp_path / "maml-sinusoids-0001")
    first = min(kept.step for kept in RunStore(tmp_path).runs()[0].kept())
    said = say("resume", folder.name, "--checkpoint", first, "--runs", tmp_path, "--json")
    assert (said.status, said.table["status"], said.table["steps"]) == (0, "finished", 20)
    assert "finished already" not in said.err
    before = say("resume", folder.name, "--runs", runs, "--json").table["evaluation"]["mean"]
    assert said.table["evaluation"]["mean"] == pytest.approx(before, rel=1e-4)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of this kind")
@pytest.mark.parametrize(("blocks", "remedy"), [(8, "start it again"), (80, "go on with `workbench resume")])
def test_a_run_that_cannot_be_written_says_what_to_do(tmp_path: Path, blocks: int, remedy: str) -> None:
    command = [sys.executable, "-m", "workbench", "run", *TINY, "--set", "training.iterations=100", "--runs", tmp_path]
    limited = f"ulimit -f {blocks}; exec {shlex.join(map(str, command))}"
    done = subprocess.run(["sh", "-c", limited], capture_output=True, text=True, check=False,
                          cwd=Path(__file__).parents[2])
    assert done.returncode == 1, done.stderr
    assert "the run cannot be written any more" in done.stderr
    assert remedy in done.stderr
    assert not done.stdout.splitlines()[0].endswith(" on ")

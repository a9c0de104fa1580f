"""Several processes, started as a person would start them, compute what one does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import psutil
import pytest
import torch

from tests.cli.terminal import say
from tests.engine.ended import ended, read_end
from tests.plugins import install
from workbench.engine.events import Steps
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve, to_toml, with_settings
from workbench.places import sample_tasks
from workbench.runs.files import read_tensors
from workbench.runs.recording import recorded
from workbench.runs.store import Run, RunStore

REPOSITORY = Path(__file__).parents[3]
TINY = ("training.iterations=8", "training.validation_tasks=7", "evaluation.tasks=8", "evaluation.probe_tasks=2",
        "training.validate_every=4", "device=cpu")
# Biases before a normalization have no gradient but rounding, which Adam would make steps of.
PICTURES = (*TINY, "dataset=glyphs", "backbone.filters=4", "task.queries=2", "training.optimizer=sgd",
            "training.outer_lr=0.05")
# Tasks that do not divide among three processes, and fewer tasks than processes.
EXPERIMENTS = {
    "maml": (*TINY, "dataset=sinusoids", "training.meta_batch=5"),
    "few": (*TINY, "dataset=sinusoids", "training.meta_batch=2", "training.clip=1.0"),
    "reptile": (*TINY, "dataset=sinusoids", "algorithm=reptile", "algorithm.inner_optimizer=adam",
                "algorithm.inner_steps=3", "algorithm.test_steps=3", "training.meta_batch=4"),
    "threads": (*PICTURES, "algorithm=anil", "training.executor=threads", "training.meta_batch=4"),
    "transfer": (*PICTURES, "algorithm=meta_transfer", "algorithm.pretraining=0.3", "training.meta_batch=5",
                 "algorithm.inner_steps=2", "algorithm.test_steps=2", "training.executor=vectorized"),
    "baseline": (*PICTURES, "algorithm=baseline", "algorithm.inner_steps=3", "training.meta_batch=4"),
}
LONG = ("--set", "dataset=sinusoids", "--set", "training.iterations=300", "--set", "evaluation.tasks=20", "--device",
        "cpu", "--set", "training.validation_tasks=10", "--set", "training.validate_every=20", "--set",
        "training.meta_batch=5", "--set", "training.outer_lr=1e-4")


class Launched:
    """A launcher and the processes that it started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def wait_for(self, text: str) -> None:
        """Read what they say on standard error up to a line with this text."""
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if text in line:
                return
        pytest.fail(f"nothing was said of {text!r}: {''.join(said)}")

    def worker(self, rank: int) -> psutil.Process:
        """The process of this rank."""
        return next(child for child in psutil.Process(self.process.pid).children(recursive=True)
                    if child.environ().get("RANK") == str(rank))


@contextmanager
def launched(count: int, *words: object, options: tuple[str, ...] = (), **environment: str) -> Iterator[Launched]:
    """Start Python with these words in so many processes, as torchrun does."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), *options]
    with subprocess.Popen([*command, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=REPOSITORY, env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
                          | environment) as process:
        try:
            yield Launched(process)
        finally:
            process.terminate()  # it ends those that it started


def alone(*settings: str):
    """How an experiment ends in one process."""
    return ended(train(resolve(with_settings({}, settings))))


def assert_same(found, wanted, rtol, atol) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=rtol, atol=atol,
                                   msg=lambda text, name=name: f"{name}: {text}")


def assert_same_run(found: Run, wanted: Run) -> None:
    """Equal to rounding: every meta-loss, the last state and the result."""
    one, other = found.history(), wanted.history()
    torch.testing.assert_close(torch.from_numpy(one.loss.values), torch.from_numpy(other.loss.values), rtol=1e-3,
                               atol=1e-4)
    assert one.test is not None
    assert other.test is not None
    assert one.test.score.mean == pytest.approx(other.test.score.mean, rel=1e-3)
    assert_same(found.state().tensors(), wanted.state().tensors(), 1e-2, 1e-4)


def assert_together_as_alone(folder: Path, count: int, device: str) -> None:
    """Train every experiment in so many processes and in one, and compare how they end."""
    experiments = {name: (*settings, f"device={device}") for name, settings in EXPERIMENTS.items()}
    for name, settings in experiments.items():
        (folder / f"{name}.toml").write_text(to_toml(resolve(with_settings({}, settings))), encoding="utf8")
    with launched(count, "-m", "tests.engine.distribution.train_together", folder) as them:
        _, said = them.process.communicate()
    assert them.process.returncode == 0, said
    for name, settings in experiments.items():
        assert_same(read_end(folder / f"{name}.safetensors"), alone(*settings), 2e-4, 2e-5)


def test_three_processes_end_as_one_does_and_refuse_to_train_on_different_data(tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    shapes = sample_tasks() / "shapes"
    shutil.copytree(shapes, tmp_path / "other shapes")
    # Two drawings have each the name, and so the class, of the other.
    one, other, *_ = (min(path.iterdir()) for path in sorted((tmp_path / "other shapes").iterdir()) if path.is_dir())
    one.rename(tmp_path / "between")
    other.rename(one)
    (tmp_path / "between").rename(other)
    for rank, folder in enumerate((shapes, tmp_path / "other shapes", shapes)):
        experiment = resolve(with_settings({}, [*TINY, "dataset=image_folder", f"dataset.path={folder}"]))
        (tmp_path / "others" / f"{rank}.toml").write_text(to_toml(experiment), encoding="utf8")
    assert_together_as_alone(tmp_path, 3, "cpu")
    told = [(tmp_path / f"{rank}.txt").read_text(encoding="utf8") for rank in range(3)]
    assert told[0] == told[1] == told[2]
    assert "inputs: rank 1 (" in told[0]
    assert "all processes must have the same" in told[0]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    torch.cuda.device_count() < 2, reason="needs two GPUs"))])
def test_two_processes_end_as_one_does(tmp_path: Path, device: str) -> None:
    assert_together_as_alone(tmp_path, 2, device)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The long run, trained by one process from its beginning to its end."""
    folder = tmp_path_factory.mktemp("alone")
    assert say("run", *LONG, "--runs", folder).status == 0
    return RunStore(folder).runs()[0]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_run_whose_worker_is_killed_goes_on_and_ends_as_an_uninterrupted_one(tmp_path: Path, uninterrupted: Run,
                                                                               rank: int) -> None:
    with launched(2, "-m", "workbench", "run", *LONG, "--runs", tmp_path / "shared", "--json",
                  options=("--max-restarts", "1")) as them:
        them.wait_for("step 60 of 300")
        them.worker(rank).send_signal(signal.SIGKILL)
        out, err = them.process.communicate()
    assert them.process.returncode == 0, err
    assert "resuming maml-sinusoids-0001" in err
    assert ".cc:" not in err  # who is left tells the cause, if in time, and no more
    table = json.loads(out)
    assert (table["status"], table["steps"]) == ("finished", 300)
    (found,) = RunStore(tmp_path / "shared").runs()
    assert_same_run(found, uninterrupted)


def test_an_interruption_stops_all_at_one_step_and_one_process_can_go_on(tmp_path: Path, uninterrupted: Run) -> None:
    with launched(2, "-m", "workbench", "run", *LONG, "--runs", tmp_path / "shared") as them:
        them.wait_for("step 60 of 300")
        them.worker(1).send_signal(signal.SIGINT)  # whichever of them it reaches
        out, err = them.process.communicate()
    assert f"go on with `workbench resume maml-sinusoids-0001 --runs {tmp_path / 'shared'}`" in err
    assert out.startswith("maml-sinusoids-0001: interrupted after ")
    assert "workbench/engine" not in err  # there is a traceback of the launcher, and none of ours
    assert say("resume", "maml-sinusoids-0001", "--runs", tmp_path / "shared").status == 0
    assert_same_run(RunStore(tmp_path / "shared").runs()[0], uninterrupted)


FAILING = """
import os
from typing import Literal
from workbench.algorithms.maml import MAML, MAMLConfig

class GreedyConfig(MAMLConfig):
    name: Literal["greedy"] = "greedy"

class Greedy(MAML):
    Config = GreedyConfig
    title = "Greedy"

    def meta_loss(self, meta, task, ctx):
        if os.environ["RANK"] == "1" and ctx.progress > 0.5:
            raise MemoryError
        return super().meta_loss(meta, task, ctx)
"""


def test_what_fails_in_one_process_ends_all_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(FAILING, encoding="utf8")
    install(tmp_path, "greedy", "greedy = greedy:Greedy")
    with launched(2, "-m", "workbench", "run", *LONG, "--set", "algorithm=greedy", "--set", "training.iterations=20",
                  "--runs", tmp_path / "runs", "--json",
                  PYTHONPATH=f"{tmp_path}{os.pathsep}{REPOSITORY}") as them:
        out, err = them.process.communicate()
    assert them.process.returncode != 0
    table = json.loads(out)
    assert table["status"] == "failed"
    assert table["message"].startswith("rank 1 (")
    assert "the device has too little memory; lower the inner steps" in table["message"]
    assert err.count("too little memory") == 1


def test_a_process_with_less_memory_trains_along_in_smaller_chunks(tmp_path: Path, uninterrupted: Run) -> None:
    install(tmp_path, "hungry", "hungry = tests.engine.hungry:Hungry")
    short = ("algorithm=hungry", "algorithm.rank=1", "algorithm.room=1", "algorithm.test_room=2")
    with launched(2, "-m", "workbench", "run", *LONG, *chain.from_iterable(("--set", one) for one in short), "--runs",
                  tmp_path / "runs", PYTHONPATH=f"{tmp_path}{os.pathsep}{REPOSITORY}") as them:
        _, err = them.process.communicate()
    assert them.process.returncode == 0, err
    table = json.loads(next((tmp_path / "runs").glob("*/summary.json")).read_text(encoding="utf8"))
    assert table["mean"] == pytest.approx(uninterrupted.summary().mean, rel=1e-3)
    # All have the same chunk while they test, and only the one that has to a smaller one while it trains.
    state = read_tensors(max((tmp_path / "runs").glob("*/checkpoints/*")))[1]
    assert (state["test_chunk"], state["chunk"] > 1) == (2, True)


def test_only_training_is_shared_and_only_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    for rank, said in (("0", "say this without torchrun"), ("1", "")):
        monkeypatch.setenv("RANK", rank)
        heard = say("list", "presets")
        assert heard.status == 2
        assert said in heard.err
        assert bool(heard.err) == bool(said)
        assert not heard.out


def test_a_launch_finds_its_unfinished_run_by_name_and_begins_another_once_that_has_ended(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [word for one in (*TINY, "dataset=sinusoids", "training.meta_batch=5") for word in ("--set", one)]
    place = {"TORCHELASTIC_RUN_ID": "mine", "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    experiment = resolve(with_settings({}, EXPERIMENTS["maml"]))
    lost = RunStore(tmp_path).create(experiment, "mine")
    for event in recorded(lost):
        if isinstance(event, Steps) and event.last >= 6:
            break
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    first = say("run", *settings, "--runs", tmp_path)
    assert "resuming maml-sinusoids-0001" in first.err
    assert first.status == 0
    assert say("run", *settings, "--runs", tmp_path, "--json").table["run_id"] == "maml-sinusoids-0002"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")  # it was lost while it said goodbye
    again = say("run", *settings, "--runs", tmp_path, "--json")
    assert again.table["run_id"] == "maml-sinusoids-0002"
    assert "finished already" in again.err
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")  # a launch without a name is called by its launcher
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert say("run", *settings, "--runs", tmp_path, "--json").table["run_id"] == "maml-sinusoids-0003"
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert say("run", *settings, "--runs", tmp_path, "--json").table["run_id"] == "maml-sinusoids-0003"


def test_what_failed_with_a_sentence_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [word for one in (*EXPERIMENTS["maml"], "algorithm.inner_lr=1000", "training.outer_lr=100",
                                 "training.optimizer=sgd") for word in ("--set", one)]
    place = {"TORCHELASTIC_RUN_ID": "mine", "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    assert "lower training.outer_lr" in say("run", *settings, "--runs", tmp_path).err
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    said = say("run", *settings, "--runs", tmp_path, "--json")
    assert (said.status, said.out) == (1, "")
    assert "maml-sinusoids-0001 has ended already" in said.err


def test_a_launch_that_was_lost_before_its_first_checkpoint_begins_anew(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [word for one in (*TINY, "dataset=sinusoids", "training.meta_batch=5") for word in ("--set", one)]
    lost = RunStore(tmp_path).create(resolve(with_settings({}, EXPERIMENTS["maml"])), "mine")
    next(iter(recorded(lost)))
    place = {"TORCHELASTIC_RUN_ID": "mine", "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1",
             "TORCHELASTIC_RESTART_COUNT": "1"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    said = say("run", *settings, "--runs", tmp_path, "--json")
    assert (said.status, said.table["run_id"]) == (0, "maml-sinusoids-0001")
    assert len(RunStore(tmp_path).runs()) == 1

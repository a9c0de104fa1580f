"""Bad input of every kind: exit status 2, one sentence, and with --json one object."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.cli.conftest import RUN
from tests.cli.terminal import Said, say
from workbench.places import sample_tasks
from workbench.runs.files import read_tensors, write_tensors


def _mistake(*words: object) -> str:
    """The one sentence that a mistake is answered with."""
    said: Said = say(*words, "--json")
    assert said.status == 2, said.err
    assert said.table.keys() == {"error"}
    assert said.err == f"workbench: {said.table['error']}\n"
    return str(said.table["error"])


@pytest.mark.parametrize(("words", "answer"), [
    (["rnu"], "did you mean 'run'?"),
    (["list"], "LIST"),
    (["list", "rnus"], "did you mean 'runs'?"),
    (["list", "runs", "more"], "does not know what to do with 'more'"),
    (["data"], "COMMAND"),
    (["data", "chekc", "x"], "did you mean 'check'?"),
    (["run", "--presett", "x"], "did you mean '--preset'?"),
    (["run", "--pre", "x"], "--preset"),
    (["run", "--preset"], "expected one argument"),
    (["run", "--preset", "frist-look"], "did you mean 'first-look'?"),
    (["run", "a.toml", "--preset", "first-look"], "not both"),
    (["run", "--set", "dataset=sinusoid"], "did you mean 'sinusoids'?"),
    (["run", "--set", "backbone=conv"], "did you mean 'conv4'?"),
    (["run", "--set", "algorithm=mmal"], "did you mean 'maml'?"),
    (["run", "--set", "taks.ways=3"], "did you mean 'task'?"),
    (["run", "--set", "task.wasy=3"], "did you mean 'task.ways'?"),
    (["run", "--set", "task.ways=1"], "task.ways"),
    (["run", "--set", "task.ways=many"], "task.ways"),
    (["run", "--set", "task.ways"], "NAME=VALUE"),
    (["run", "--set", "dataset=sinusoids", "--set", "algorithm=protonet"], "ProtoNet does classification"),
    (["run", "--device", "gpu"], "no 'gpu'"),
    (["run", "nothing.toml"], "there is no such file"),
    (["run", "--set", "dataset=image_folder"], "dataset.path"),
    (["run", "--set", "dataset=image_folder", "--set", "dataset.path=nowhere"], "there is no folder"),
    (["resume", "nothing"], "holds no runs yet"),
    (["evaluate"], "RUN|EXPORT"),
    (["evaluate", "nothing.safetensors"], "there is no such file"),
    (["export", "nothing"], "--to"),
    (["data", "check", "nowhere"], "there is no file or folder"),
    (["help", "mmal"], "did you mean 'maml'?"),
    (["help", "algorithm/mmal"], "did you mean 'algorithm/maml'?"),
    (["help", "take-home"], "did you mean 'take-it-home'?"),
    (["help", "../README"], "no help page is called '../README'"),
    (["data", "download", "omniglto"], "did you mean 'omniglot'?"),
    (["data", "download", "sinusoids"], "no official files"),
])
def test_a_mistake_is_answered_with_one_sentence_that_helps(words: list[str], answer: str, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if words[0] in ("run", "resume"):
        words = [*words, "--runs", "runs"]
    assert answer in _mistake(*words)
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(("words", "answer"), [
    (["resume", "maml-sinusoid-0001"], f"did you mean '{RUN}'?"),
    (["evaluate", RUN, "--tasks", "many"], "evaluation.tasks"),
    (["evaluate", RUN, "--tasks", "1"], "evaluation.tasks"),
    (["evaluate", RUN, "--set", "dataset=glyphs"], "1×28×28 inputs"),
    (["evaluate", RUN, "--set", "backbone.widths=[10]"], "leave algorithm and backbone as they were trained"),
    (["evaluate", RUN, "--set", "backbone.widths=[10,40]"], "would have to be [10, 1]"),
    (["evaluate", RUN, "--set", "algorithm=maml", "--set", "algorithm.inner_lr=-1"], "algorithm.inner_lr"),
    (["export", RUN, "--to", "learner.pt"], "learner.safetensors"),
    (["export", RUN, "--to", "nowhere/learner.safetensors"], "is no folder"),
    (["adapt", RUN, "nowhere"], "there is no folder"),
    (["adapt", RUN, str(sample_tasks() / "shapes")], "support.csv"),
    (["adapt", RUN, str(sample_tasks() / "new_wave"), "--to", "nowhere/out.csv"], "is no folder"),
])
def test_a_learner_that_cannot_do_what_is_asked_says_why(words: list[str], answer: str, runs: Path, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert answer in _mistake(*words, "--runs", runs)


def test_damaged_toml_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[task]\nways = = 3\n", encoding="utf8")
    sentence = _mistake("run", path, "--runs", tmp_path)
    assert str(path) in sentence
    assert "line 2" in sentence


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sentence = _mistake("run", "--set", "dataset=sinusoids", "--runs", tmp_path / "file")
    assert str(tmp_path / "file") in sentence
    assert "is no folder" in sentence


def test_a_damaged_checkpoint_is_named(runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(runs / RUN, tmp_path / RUN)
    summary = folder / "summary.json"
    summary.write_text(summary.read_text(encoding="utf8").replace("finished", "stopped"), encoding="utf8")
    *others, newest = sorted((folder / "checkpoints").iterdir())
    assert others  # while one of them is whole it is gone on with, as tests of the runs show
    for path in (*others, newest):
        path.write_bytes(path.read_bytes()[:100])
    assert newest.name in _mistake("resume", RUN, "--runs", tmp_path)
    (folder / "best.safetensors").write_bytes(b"nothing")
    assert "best.safetensors" in _mistake("evaluate", RUN, "--runs", tmp_path)


def test_a_damaged_export_and_another_programs_file_are_refused(runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    assert say("export", RUN, "--runs", runs, "--to", path).status == 0
    path.write_bytes(path.read_bytes()[:-50])
    assert "may be damaged" in _mistake("evaluate", path)
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, other)
    assert "not one that the workbench wrote" in _mistake("evaluate", other)
    assert "is no export" in _mistake("evaluate", runs / RUN / "best.safetensors")


def test_nobody_elses_file_is_overwritten(runs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, other)
    before = other.read_bytes()
    assert "not overwritten" in _mistake("export", RUN, "--runs", runs, "--to", other)
    assert other.read_bytes() == before
    notes = tmp_path / "notes.csv"
    notes.write_text("my,notes\n", encoding="utf8")
    assert "not overwritten" in _mistake("adapt", RUN, sample_tasks() / "new_wave", "--to", notes, "--runs", runs)
    assert notes.read_text(encoding="utf8") == "my,notes\n"


def test_a_run_that_is_being_trained_cannot_be_resumed(runs: Path, tmp_path: Path) -> None:
    from workbench.runs.store import Run

    folder = shutil.copytree(runs / RUN, tmp_path / RUN)
    summary = folder / "summary.json"
    summary.write_text(summary.read_text(encoding="utf8").replace("finished", "stopped"), encoding="utf8")
    with Run(folder).busy():
        assert "being trained" in _mistake("resume", RUN, "--runs", tmp_path)


@pytest.mark.parametrize("device", ["/dev/full", "/dev/zero"])
def test_a_device_is_no_place_for_predictions(device: str, runs: Path) -> None:
    assert "device or a pipe" in _mistake("adapt", RUN, sample_tasks() / "new_wave", "--to", device, "--runs", runs)


@pytest.mark.parametrize("name", ["version", "experiment", "spec", "step"])
@pytest.mark.parametrize("value", [None, ["x"], "x", {"a": 1}, -5])
def test_a_damaged_manifest_is_told_of(name: str, value: object, runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    assert say("export", RUN, "--runs", runs, "--to", path).status == 0
    tensors, about = read_tensors(path)
    changed = {one: content for one, content in about.items() if one != name or value is not None}
    write_tensors(path, tensors, changed | ({} if value is None else {name: value}))
    sentence = _mistake("evaluate", path)
    assert f"{path}: its manifest is damaged ({name}" in sentence
    assert "export the run again" in sentence


def test_a_manifest_that_is_no_table_is_no_export(tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    save_file({"weight": torch.zeros(2)}, path, {"about": "[1]"})
    assert "is no export" in _mistake("evaluate", path)


def test_a_run_whose_experiment_was_emptied_is_named_by_every_command(runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(runs / RUN, tmp_path / RUN)
    (folder / "experiment.toml").write_text("", encoding="utf8")
    for words in (["evaluate", RUN], ["resume", RUN], ["export", RUN, "--to", str(tmp_path / "a.safetensors")]):
        assert "experiment.toml: is damaged" in _mistake(*words, "--runs", tmp_path)
    assert say("list", "runs", "--runs", tmp_path, "--json").table["runs"][0]["status"] == "damaged"


def test_an_export_that_cannot_be_written_names_the_file(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                         ) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    path = tmp_path / "learner.safetensors"
    said = _mistake("export", RUN, "--runs", runs, "--to", path)
    assert f"{path}: cannot be written ([Errno {errno.ENOSPC}] No space left" in said


def test_a_checkpoint_that_is_not_there_is_answered_with_those_that_are(runs: Path) -> None:
    assert "no checkpoint of step 3 (there are:" in _mistake("resume", RUN, "--checkpoint", 3, "--runs", runs)
    assert "--checkpoint" in _mistake("resume", RUN, "--checkpoint", "last", "--runs", runs)

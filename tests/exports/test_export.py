"""Exported files, and what plain PyTorch makes of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.cli.terminal import PICTURES, TINY, say
from workbench.algorithms.base import Context, Meta, adapt
from workbench.engine.session import build
from workbench.experiment.registry import found
from workbench.experiment.resolve import resolve, with_settings
from workbench.exports.export import export_run, load_export
from workbench.exports.help import help_page, help_pages
from workbench.exports.learner import LearnerError
from workbench.exports.predictions import predict
from workbench.places import sample_tasks
from workbench.runs.files import read_tensors, write_tensors
from workbench.runs.recording import recorded
from workbench.runs.store import Run, RunStore
from workbench.tasks.base import Examples, NewTask

_NO_WORKBENCH = "import sys; sys.modules['workbench'] = None\n"
_BEFORE = "from safetensors.torch import load_file, save_file\nglobals().update(load_file('task.safetensors'))\n"
_AFTER = "\nsave_file({'probabilities': probabilities.detach().contiguous()}, 'out.safetensors')\n"


def _trained(runs: Path, algorithm: str) -> Run:
    """A run on pictures whose normalization is not the identity, so that one that is forgotten shows."""
    said = say("run", *PICTURES, "--set",
               f"dataset.path={sample_tasks() / 'shapes'}", "--set", f"algorithm={algorithm}", "--runs", runs)
    assert said.status == 0, said.err
    return RunStore(runs).runs()[0]


@pytest.mark.parametrize(("algorithm", "section"), [("maml", 0), ("protonet", 1)])
def test_the_lines_of_the_help_page_predict_what_the_workbench_predicts(algorithm: str, section: int, tmp_path: Path
                                                                        ) -> None:
    export_run(_trained(tmp_path / "runs", algorithm), tmp_path / "learner.safetensors")
    learner = load_export(tmp_path / "learner.safetensors")
    raw = torch.rand(25, *learner.spec.input_shape, generator=torch.Generator().manual_seed(1))
    task = {"support_x": raw[:10], "support_y": torch.arange(5).repeat_interleave(2), "query_x": raw[10:]}
    save_file(task, tmp_path / "task.safetensors")

    lines = re.findall(r"```python\n(.*?)```", help_page("take-it-home"), re.DOTALL)[section]
    ended = subprocess.run([sys.executable, "-c", _NO_WORKBENCH + _BEFORE + lines + _AFTER], cwd=tmp_path,
                           capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    outside = load_file(tmp_path / "out.safetensors")["probabilities"]

    spec = learner.spec
    mean, deviation = (torch.tensor(values).view(-1, 1, 1) for values in (spec.mean, spec.deviation))
    inside = predict(learner, spec, NewTask(
        tuple("abcde"), Examples((task["support_x"] - mean) / deviation, task["support_y"]),
        (task["query_x"] - mean) / deviation, tuple(map(str, range(15)))))
    assert torch.allclose(outside.double(), torch.from_numpy(inside.outputs), rtol=0, atol=1e-6)
    assert inside.outputs.max(1).mean() > 0.25


def _decided(run: Run) -> Meta:
    """The best learner of a run, made to lead with one operation in its first slots and none in its last."""
    tensors, about = read_tensors(run.best)
    names = [name for name in tensors if "backbone.architecture." in name]
    for index, name in enumerate(names[:-1]):
        tensors[name] = 5.0 * F.one_hot(torch.tensor((index + 1) % len(tensors[name])), len(tensors[name])).float()
    tensors[names[-1]] = torch.linspace(0, 0.05, len(tensors[names[-1]]))
    write_tensors(run.best, tensors, about)
    return run.best_meta()[0]


@pytest.mark.parametrize(("settings", "sections"), [
    (("dataset=glyphs", "backbone.filters=4"), (2, 4)), (("dataset=sinusoids", "task.shots=1"), (2, 3, 4))],
    ids=["pictures", "vectors"])
def test_the_found_network_alone_answers_in_plain_pytorch_as_the_hardened_supernet(
        settings: tuple[str, ...], sections: tuple[int, ...], tmp_path: Path) -> None:
    said = say("run", *(part for one in ("algorithm=meta_nas", *settings, "training.iterations=1", "device=cpu",
                                         "training.meta_batch=1", "training.validation_tasks=2", "evaluation.tasks=2",
                                         "evaluation.probe_tasks=1") for part in ("--set", one)), "--runs", tmp_path)
    assert said.status == 0, said.err
    run = RunStore(tmp_path).runs()[0]
    meta = _decided(run)
    told = say("export", run.id, "--to", tmp_path / "learner.safetensors", "--runs", tmp_path)
    assert f"{tmp_path / 'learner.found.safetensors'}: the network that it found" in told.out
    learner = load_export(tmp_path / "learner.safetensors")
    found = read_tensors(tmp_path / "learner.found.safetensors")[1]["found"]["slots"]
    assert [slot["operation"] == "undecided" for slot in found] == [False] * (len(found) - 1) + [True]

    spec, ways = learner.spec, learner.spec.outputs if learner.spec.kind == "classification" else 1
    generator = torch.Generator().manual_seed(1)
    raw = torch.rand(2 * ways + 5, *spec.input_shape, generator=generator)
    targets = torch.arange(ways) if spec.kind == "classification" else torch.rand(1, spec.outputs, generator=generator)
    save_file({"support_x": raw[:ways], "support_y": targets, "query_x": raw[ways:]}, tmp_path / "task.safetensors")
    blocks = re.findall(r"```python\n(.*?)```", help_page("take-it-home"), re.DOTALL)
    lines = "".join(blocks[section] for section in sections)
    after = "\nsave_file({'answers': answers.detach().contiguous()}, 'out.safetensors')\n"
    ended = subprocess.run([sys.executable, "-c", _NO_WORKBENCH + _BEFORE + lines + after], cwd=tmp_path,
                           capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    outside = load_file(tmp_path / "out.safetensors")["answers"]

    hard = {f"backbone.architecture.{index}": torch.tensor(
        [slot["operations"].get(name, 0.0) for name in slot["shares"]]).log() for index, slot in enumerate(found)}
    fixed = learner.experiment.algorithm.model_copy(update={"architecture_lr": 0.0, "temperature": 1.0})
    algorithm = build(learner.experiment.model_copy(update={"algorithm": fixed}), spec)[1]
    mean, deviation = (torch.tensor(values).view(-1, *[1] * (raw.dim() - 2)) for values in (spec.mean, spec.deviation))
    steps = algorithm.inner_steps(training=False, examples=ways)
    ctx = Context(steps, ways, training=False, reference=None, progress=1.0, key=torch.tensor(0))
    hardened = Meta({**meta.params, **{name: value.clamp(min=-1e4) for name, value in hard.items()}}, meta.buffers)
    state = adapt(algorithm, hardened, Examples((raw[:ways] - mean) / deviation, targets), ctx)
    inside = algorithm.predict(hardened, state, (raw[ways:] - mean) / deviation, ctx.adapted)
    assert torch.allclose(outside, inside, rtol=0, atol=1e-5)  # float32, summed in another order
    unadapted = algorithm.predict(hardened, algorithm.start(hardened, Examples(raw[:ways], targets), ctx),
                                  (raw[ways:] - mean) / deviation, ctx)
    assert not torch.allclose(outside, unadapted, atol=1e-3)


def test_a_found_network_alone_is_not_taken_for_an_export_and_nothing_else_is_replaced_by_one(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(resolve(with_settings({}, [
        "algorithm=meta_nas", "dataset=sinusoids", "training.iterations=1", "training.meta_batch=1", "device=cpu",
        "training.validation_tasks=2", "evaluation.tasks=2", "evaluation.probe_tasks=1"])))
    list(recorded(run))
    beside = tmp_path / "learner.found.safetensors"
    beside.write_text("somebody's own", encoding="utf8")
    with pytest.raises(LearnerError, match=r"found\.safetensors exists and is no export"):
        export_run(run, tmp_path / "learner.safetensors")
    beside.unlink()
    for _ in range(2):
        assert export_run(run, tmp_path / "learner.safetensors")["found"]["file"] == beside.name
    with pytest.raises(LearnerError, match="found network alone"):
        load_export(beside)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    assert say("run", *TINY, "--set", "algorithm=reptile", "--set", "algorithm.inner_optimizer=adam", "--set",
               "algorithm.inner_steps=2", "--set", "algorithm.test_steps=3", "--runs", folder).status == 0
    export_run(RunStore(folder).runs()[0], folder / "learner.safetensors")
    return folder


def test_an_export_has_the_modules_own_names_and_a_manifest(exported: Path) -> None:
    with safe_open(exported / "learner.safetensors", "pt") as file:
        names = set(file.keys())
        about = json.loads(file.metadata()["about"])
    assert {"backbone.layers.0.weight", "head.bias", "buffers/head.bias", "buffers/steps"} <= names
    assert about.keys() >= {"format", "version", "algorithm", "backbone", "experiment", "spec", "task", "inner",
                            "result", "step", "versions"}
    assert about["inner"].pop("rule").startswith("Inner: φ = k optimizer steps on mini-batches")
    assert about["inner"] == {"adapts": "all weights", "optimizer": "adam", "lr": 0.02, "betas": [0.0, 0.999],
                              "eps": 1e-8, "batch": 10, "moments": "begin as under buffers/", "steps": 3,
                              "training_steps": 2, "loss": "mean squared error"}
    assert about["result"]["tasks"] == 20


def test_an_export_gives_back_the_experiment_the_spec_and_every_tensor(exported: Path) -> None:
    run = RunStore(exported).runs()[0]
    learner = load_export(exported / "learner.safetensors")
    meta, step = run.best_meta()
    assert learner.experiment == run.experiment()
    assert (learner.step, learner.spec.input_shape) == (step, (1,))
    for own, other in zip(learner.meta, meta, strict=True):
        assert own.keys() == other.keys()
        assert all(torch.equal(own[name], other[name]) for name in own)


def test_an_earlier_export_is_replaced(exported: Path) -> None:
    path = exported / "learner.safetensors"
    before = path.read_bytes()
    export_run(RunStore(exported).runs()[0], path)
    assert path.read_bytes() == before
    assert [one.name for one in exported.glob(".learner*")] == []


def test_every_algorithm_has_a_page_made_from_its_declaration() -> None:
    for name, kind in found("algorithm").items():
        page = help_page(f"algorithm/{name}")
        assert page.startswith(f"# {kind.title}\n")
        assert f"`algorithm={name}`" in page
    assert "| Inner rate (`inner_lr`) |" in help_page("algorithm/maml")
    assert "one output a way" in help_page("algorithm/maml")
    assert "one output a way" not in help_page("algorithm/supervised")


def test_every_link_between_help_pages_leads_somewhere_and_no_page_names_a_place_of_this_machine() -> None:
    pages = [page.name for page in help_pages()]
    assert pages[:2] == ["index", "first-look"]
    assert {"algorithm/maml", "backbone/conv4", "dataset/omniglot"} <= set(pages)
    for name in pages:
        text = help_page(name)
        for link in re.findall(r"\]\(([\w-]+)\.md\)", text):
            assert link in pages
        assert str(Path.home()) not in text


def test_every_command_on_a_help_page_can_be_parsed() -> None:
    from workbench.cli.parser import parse

    commands = [line.strip() for page in help_pages() for line in help_page(page.name).splitlines()
                if line.startswith("    workbench ")]
    commands += re.findall(r"^\| `(workbench[^`]*)`", help_page("command-line"), re.MULTILINE)
    assert len(commands) > 10
    for command in commands:
        parse(command.split()[1:])

"""MNIST, its likenesses and the digits: read from miniature files, split so that three ways fit, every damage named."""

from __future__ import annotations

import gzip
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.serving import CONTENT, MD5, FileServer, never
from workbench import places
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.tasks.base import TaskSource
from workbench.tasks.benchmarks.ten_classes import IdxTasks, read_idx, split_of_ten
from workbench.tasks.files.download import OfficialFile
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.mnist import Mnist
from workbench.tasks.sampling.classes import ClassTasks

Opener = Callable[..., TaskSource]
Maker = Callable[..., Path]
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
IDX = ("mnist", "fashion_mnist", "kmnist")
EVERY = (*IDX, "digits")
FEW = {"shots": 1, "queries": 3}


def idx(values: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """A file of MNIST's format."""
    return struct.pack(f">I{values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()


def half(a_class: int, seed: int) -> tuple[bytes, bytes]:
    """Pictures and labels; the first pixel says the label, the second the place, the last is lit."""
    order = np.random.default_rng(seed).permutation(10 * a_class)
    pictures = np.zeros((len(order), 28, 28), dtype=np.uint8)
    pictures[:, 0, 0], pictures[:, 0, 1], pictures[:, -1, -1] = order % 10, order // 10, 200 + seed
    return idx(pictures), idx((order % 10).astype(np.uint8))


@pytest.fixture
def four() -> Maker:
    """Writes the four files of 6 pictures a class."""
    def write(folder: Path, *, packed: bool = True, dotted: bool = False, **changed: bytes | None) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        contents: dict[str, bytes | None] = dict(zip(FILES, (*half(4, 0), *half(2, 1)), strict=True))
        contents |= {name.replace("_", "-"): content for name, content in changed.items()}
        for name, content in contents.items():
            if content is not None:
                own = name.replace("-idx", ".idx") if dotted else name
                path = folder / (f"{own}.gz" if packed else own)
                path.write_bytes(gzip.compress(content) if packed else content)
        return folder
    return write


def test_pixels_and_labels_are_those_of_the_files_and_every_picture_is_with_its_class(
        tmp_path: Path, four: Maker, opened: Opener) -> None:
    source = opened("mnist", path=four(tmp_path), task=FEW)
    assert isinstance(source, ClassTasks)
    found = source.labelled
    assert found.inputs.shape == (60, 1, 28, 28)
    assert found.counts.tolist() == [6] * 10
    assert found.names[3] == "three"
    own = found.inputs[:, 0].reshape(10, 6, 28, 28)
    assert own[:, :, 0, 0].tolist() == [[label] * 6 for label in range(10)]
    assert own[:, :4, 0, 1].sort().values.tolist() == [[0, 1, 2, 3]] * 10
    assert own[:, :, -1, -1].tolist() == [[200] * 4 + [201] * 2] * 10  # training pictures before those for testing
    assert found.problems == (f"{tmp_path} holds 60 pictures and the official files 70,000; results will not compare "
                              "with published ones",)
    assert (source.spec.background, source.spec.mean, source.spec.deviation) == ("dark", (0.0,), (1.0,))
    task = source.sample("train", [3]).task(0)
    lit = (task.query.inputs[:, 0, -1, -1] * 255).round()
    assert set(lit.tolist()) <= {200.0, 201.0}


@pytest.mark.parametrize("dataset", IDX)
def test_packed_unpacked_and_dotted_files_give_the_same_wherever_other_libraries_put_them(
        tmp_path: Path, four: Maker, opened: Opener, dataset: str) -> None:
    kind = find("dataset", dataset)
    assert issubclass(kind, IdxTasks)
    looks = [four(tmp_path / "a"), four(tmp_path / "b", packed=False), four(tmp_path / "c", dotted=True)]
    four(tmp_path / "d" / kind.hints[0] / "raw", packed=False)
    first, *others = (opened(dataset, path=path, task=FEW) for path in (*looks, tmp_path / "d"))
    for other in others:
        assert torch.equal(first.labelled.inputs, other.labelled.inputs)  # type: ignore[attr-defined]


@pytest.mark.parametrize("dataset", EVERY)
def test_four_classes_train_three_validate_and_three_are_tested_on_for_every_seed(
        four: Maker, opened: Opener, dataset: str) -> None:
    if dataset != "digits":
        four(places.datasets() / dataset)
    sources = [opened(dataset, task=FEW, seed=seed) for seed in (0, 5)]
    assert Counter(split_of_ten(dataset)) == {"train": 4, "validation": 3, "test": 3}
    names = [{split: source.names(split) for split in ("train", "validation", "test")} for source in sources]
    assert names[0] == names[1]
    assert len(frozenset.union(*names[0].values())) == 10
    assert sources[0].overview().classes == {"train": 4, "validation": 3, "test": 3}
    assert "split by class 4 / 3 / 3, so tasks have up to 3 ways" in sources[0].overview().facts


@pytest.mark.parametrize("dataset", EVERY)
@pytest.mark.parametrize("algorithm", ["maml", "protonet", "supervised"])
def test_picked_with_its_defaults_it_opens(four: Maker, dataset: str, algorithm: str) -> None:
    if dataset != "digits":
        pictures = np.zeros((400, 28, 28), dtype=np.uint8)
        files = (idx(pictures), idx((np.arange(400) % 10).astype(np.uint8)))
        four(places.datasets() / dataset, **{name.replace("-", "_"): files[i % 2] for i, name in enumerate(FILES)})
    experiment = resolve({"dataset": {"name": dataset}, "algorithm": {"name": algorithm}})
    kind = find("dataset", dataset)
    assert issubclass(kind, TaskSource)
    source = kind(experiment, torch.device("cpu"))
    if algorithm == "supervised":
        assert source.holds_out_examples
        assert source.examples("test", [0], 5).query.inputs.shape == (1, 5, 1, 28, 28)
    else:
        assert experiment.task.ways == 3
        assert source.sample("test", [0]).support.inputs.shape == (1, 3, 1, 28, 28)


def test_more_ways_than_the_classes_allow_are_refused_with_both_ways_out(
        tmp_path: Path, four: Maker, opened: Opener) -> None:
    four(tmp_path)
    with pytest.raises(DataError, match=r"MNIST has ten classes: 4 train, 3 validate and 3 are tested on, which will "
                                        r"not do for 5-way tasks\. Set task\.ways to 3, or dataset\.held_out to examp"):
        opened("mnist", path=tmp_path, task={"ways": 5})
    with pytest.raises(DataError, match=r"not do for 6-way tasks\. Set training\.ways to 4"):
        opened("mnist", path=tmp_path, task={"ways": 3}, training={"ways": 6})
    opened("mnist", path=tmp_path, task=FEW, training={"ways": 4})


def test_by_example_all_ten_classes_are_tested_on_and_no_example_twice(
        tmp_path: Path, four: Maker, opened: Opener) -> None:
    source = opened("digits", held_out="examples", task={"ways": 10, "shots": 5, "queries": 15})
    assert source.holds_out_examples
    assert source.names("train") == source.names("test")
    assert len(source.names("test")) == 10
    assert "every class in every split" in source.overview().facts
    assert sum(source.overview().examples.values()) == 1797
    assert source.sample("test", [0]).query.targets.unique().tolist() == list(range(10))


def test_the_digits_are_those_of_the_library_drawn_larger(opened: Opener) -> None:
    from sklearn.datasets import load_digits

    source = opened("digits", task=FEW)
    assert isinstance(source, ClassTasks)
    known = load_digits()
    seven = source.labelled.inputs[source.labelled.counts[:7].sum(), 0].numpy()
    expected = known.images[known.target == 7][0]
    assert seven.shape == (28, 28)
    np.testing.assert_array_equal(seven[3:-2:3, 3:-2:3], np.round(expected * 255 / 16))
    np.testing.assert_array_equal(seven[2:-2:3, 4:-2:3], np.round(expected * 255 / 16))
    assert not seven[:2].any()
    assert not seven[:, -2:].any()
    assert seven.max() == 255
    assert source.floors()[0].mean > 0.5


@pytest.mark.parametrize(("changed", "message"), [
    ({FILES[0]: half(4, 0)[0][:-9]}, r"train-images-idx3-ubyte\.gz says that it holds 40×28×28 bytes and holds 31,351"),
    ({FILES[3]: half(2, 1)[1] + b"x"}, r"t10k-labels-idx1-ubyte\.gz says that it holds 20 bytes and holds 21"),
    ({FILES[1]: half(3, 0)[1]}, r"has 40 pictures and train-labels-idx1-ubyte\.gz 30 labels"),
    ({FILES[1]: half(4, 0)[0]}, r"train-labels-idx1-ubyte\.gz does not begin as a file of labels"),
    ({FILES[2]: b"\x00"}, r"t10k-images-idx3-ubyte\.gz does not begin as a file of pictures"),
    ({FILES[3]: idx(np.full(20, 12, dtype=np.uint8))}, r"has a label 12, and the labels go from 0 to 9"),
    ({FILES[2]: idx(np.zeros((20, 8, 8), dtype=np.uint8))}, "are 28×28 and 8×8"),
    ({FILES[1]: idx(np.ones(40, dtype=np.uint8)), FILES[3]: idx(np.ones(20, dtype=np.uint8))},
     "has no picture labelled 0"),
])
def test_what_is_wrong_inside_is_named_with_the_remedy(tmp_path: Path, four: Maker, opened: Opener,
                                                       changed: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=f"{message}.*delete .*-ubyte.* and download it again"):
        opened("mnist", path=four(tmp_path, **{name.replace("-", "_"): own for name, own in changed.items()}), task=FEW)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(half(4, 0)[0])[:-20],
                                     gzip.compress(half(4, 0)[0])[:60] + bytes(60)])
def test_a_damaged_packed_file_is_named_and_nothing_of_it_is_kept(
        tmp_path: Path, four: Maker, opened: Opener, content: bytes) -> None:
    (four(tmp_path) / f"{FILES[0]}.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz (is damaged|does not begin|says)"):
        opened("mnist", path=tmp_path, task=FEW)
    assert not list(places.cache().rglob("*.safetensors"))


@pytest.mark.parametrize("dataset", IDX)
def test_what_is_missing_is_named_with_where_it_goes(tmp_path: Path, four: Maker, opened: Opener, dataset: str) -> None:
    with pytest.raises(DataError, match=rf"is not complete in .*{dataset}: train-images.*are missing; download them "
                                        rf"with `workbench data download {dataset}` or .*or put them there from http"):
        opened(dataset)
    (four(tmp_path) / f"{FILES[3]}.gz").unlink()
    with pytest.raises(DataError, match=r"is not complete in .*: t10k-labels-idx1-ubyte\.gz is missing"):
        opened(dataset, path=tmp_path)


def test_which_of_them_it_is_is_told_by_checksum_or_path(
        tmp_path: Path, four: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, fashion, old = (four(tmp_path / name, packed=False) for name in ("digits", "FashionMNIST/raw", "kmnist"))
    assert [recognize_data(path).dataset for path in (plain, fashion, old)] == list(IDX)
    assert recognize_data(tmp_path / "FashionMNIST").dataset == "fashion_mnist"
    import hashlib
    own = hashlib.md5((plain / FILES[1]).read_bytes(), usedforsecurity=False).hexdigest()
    kind = find("dataset", "kmnist")
    assert issubclass(kind, IdxTasks)
    labels = replace_checksum(kind.official, own)
    monkeypatch.setattr(kind, "official", labels)
    found = recognize_data(plain)
    assert (found.dataset, found.why.endswith("with the checksum of Kuzushiji-MNIST")) == ("kmnist", True)
    (plain / FILES[2]).unlink()
    assert recognize_data(plain).dataset == ""


def replace_checksum(files: tuple[OfficialFile, ...], checksum: str) -> tuple[OfficialFile, ...]:
    return files[0], files[1]._replace(checksum=checksum), *files[2:]


def test_the_report_agrees_with_the_dataset(tmp_path: Path, four: Maker) -> None:
    four(tmp_path)
    task = resolve({"dataset": {"name": "mnist"}, "task": FEW}).task
    report = check_data(tmp_path, task)
    assert (report["form"], report["classes"], report["examples"]) == ("MNIST", 10, 60)
    assert report["splits"]["test"] == {"classes": 3, "examples": 18}
    assert (report["size"], report["color"], report["usable"]) == (28, "grey", True)


@pytest.mark.parametrize("dataset", IDX)
def test_the_download_is_verified_and_never_half(server: FileServer, tmp_path: Path, dataset: str) -> None:
    kind = find("dataset", dataset)
    assert issubclass(kind, IdxTasks)
    assert kind.downloadable
    assert [file.name for file in kind.official] == [f"{name}.gz" for name in FILES]
    assert len({file.checksum for file in kind.official}) == 4
    with pytest.raises(DataError, match=r"is not the official train-images-idx3-ubyte\.gz"):
        kind.download(tmp_path, lambda *_: None, never, [server.address])
    assert not list(tmp_path.iterdir())
    files = [OfficialFile(file.name, MD5, len(CONTENT)) for file in kind.official]
    told: list[int] = []
    kind.download(tmp_path, lambda done, total: told.append(done), never, [f"{server.address}/lacking", server.address],
                  files)
    assert told[-1] == 4 * len(CONTENT)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.gz" for name in FILES)


def test_there_is_nothing_to_download_of_the_digits(tmp_path: Path) -> None:
    kind = find("dataset", "digits")
    assert issubclass(kind, TaskSource)
    assert not kind.downloadable
    with pytest.raises(DataError, match="Digits has no official files"):
        kind.download(tmp_path, lambda *_: None, never)


def test_an_array_of_the_format_is_read_as_it_was_written(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "a").write_bytes(idx(values))
    np.testing.assert_array_equal(read_idx(tmp_path / "a", 3), values)
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path, 3)


def test_a_mistyped_choice_is_refused() -> None:
    with pytest.raises(ExperimentError, match="held_out"):
        resolve({"dataset": {"name": "mnist", "held_out": "nothing"}})
    assert Mnist.Config().model_dump() == {"name": "mnist", "path": None, "held_out": "classes"}

"""CIFAR-FS and FC100 from miniature files of CIFAR-100: right pixels, labels and splits, and every damage named."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.serving import CONTENT, MD5, FileServer, never
from workbench import places
from workbench.tasks import cifar_fs, fc100
from workbench.tasks.base import TaskSource
from workbench.tasks.benchmarks.cifar100 import ARCHIVE, FOLDER, read_cifar100
from workbench.tasks.cifar_fs import CifarFs
from workbench.tasks.fc100 import Fc100
from workbench.tasks.files.download import OfficialFile
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.sampling.classes import ClassTasks

Opener = Callable[..., TaskSource]
Maker = Callable[..., Path]
CLASSES = {
    "aquatic_mammals": "beaver dolphin otter seal whale", "fish": "aquarium_fish flatfish ray shark trout",
    "flowers": "orchid poppy rose sunflower tulip", "food_containers": "bottle bowl can cup plate",
    "fruit_and_vegetables": "apple mushroom orange pear sweet_pepper",
    "household_electrical_devices": "clock keyboard lamp telephone television",
    "household_furniture": "bed chair couch table wardrobe", "insects": "bee beetle butterfly caterpillar cockroach",
    "large_carnivores": "bear leopard lion tiger wolf", "large_man-made_outdoor_things": "bridge castle house road "
    "skyscraper", "large_natural_outdoor_scenes": "cloud forest mountain plain sea",
    "large_omnivores_and_herbivores": "camel cattle chimpanzee elephant kangaroo",
    "medium_mammals": "fox porcupine possum raccoon skunk",
    "non-insect_invertebrates": "crab lobster snail spider worm",
    "people": "baby boy girl man woman", "reptiles": "crocodile dinosaur lizard snake turtle",
    "small_mammals": "hamster mouse rabbit shrew squirrel", "trees": "maple_tree oak_tree palm_tree pine_tree "
    "willow_tree", "vehicles_1": "bicycle bus motorcycle pickup_truck train",
    "vehicles_2": "lawn_mower rocket streetcar tank tractor"}
ABOVE = {fine: coarse for coarse, names in CLASSES.items() for fine in names.split()}
FINE, COARSE = sorted(ABOVE), sorted(CLASSES)


def records(a_class: int, seed: int) -> bytes:
    """So many pictures of every class in random order; the first red byte is the class, the last blue the place."""
    order = np.random.default_rng(seed).permutation(100 * a_class)
    rows = np.zeros((len(order), 3074), dtype=np.uint8)
    rows[:, 1] = order % 100
    rows[:, 0] = [COARSE.index(ABOVE[FINE[one]]) for one in rows[:, 1]]
    rows[:, 2], rows[:, -1] = rows[:, 1], order // 100
    rows[:, 2 + 1024] = 100 + seed
    return rows.tobytes()


@pytest.fixture
def binary() -> Maker:
    """Writes the files of a CIFAR-100 of 6 pictures a class, packed or not."""
    def write(folder: Path, *, packed: bool = True, **changed: bytes | None) -> Path:
        contents: dict[str, bytes | None] = {
            "train.bin": records(4, 0), "test.bin": records(2, 1), "fine_label_names.txt": "\n".join(FINE).encode(),
            "coarse_label_names.txt": "\n".join([*COARSE, ""]).encode()}
        contents |= {name.replace("_bin", ".bin"): content for name, content in changed.items()}
        folder.mkdir(parents=True, exist_ok=True)
        if not packed:
            (folder / FOLDER).mkdir()
            for name, content in contents.items():
                if content is not None:
                    (folder / FOLDER / name).write_bytes(content)
            return folder
        with tarfile.open(folder / ARCHIVE, "w:gz", compresslevel=1) as archive:
            for name, content in contents.items():
                if content is not None:
                    member = tarfile.TarInfo(f"{FOLDER}/{name}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        return folder
    return write


def test_the_lists_are_all_of_cifar_100_and_share_nothing() -> None:
    for module, sizes, names in ((cifar_fs, (64, 16, 20), FINE), (fc100, (12, 4, 4), COARSE)):
        lists = [module.TRAIN, module.VALIDATION, module.TEST]
        assert tuple(map(len, lists)) == sizes
        assert sorted(set.union(*map(set, lists))) == names


@pytest.mark.parametrize(("dataset", "sizes"), [("cifar_fs", (64, 16, 20)), ("fc100", (60, 20, 20))])
def test_classes_are_split_as_published_and_whole_superclasses_where_they_should_be(
        tmp_path: Path, binary: Maker, opened: Opener, dataset: str, sizes: tuple[int, ...]) -> None:
    source = opened(dataset, path=binary(tmp_path), task={"queries": 4})
    assert isinstance(source, ClassTasks)
    assert source.spec.input_shape == (3, 32, 32)
    overview = source.overview()
    assert tuple(overview.classes.values()) == sizes
    assert tuple(overview.examples.values()) == tuple(6 * size for size in sizes)
    assert "holds 600 pictures of 100 classes and the official files 60,000" in overview.problems[0]
    above = {split: {ABOVE[name.replace(" ", "_")] for name in source.names(split)} for split in overview.classes}
    assert bool(above["train"] & above["test"]) == (dataset == "cifar_fs")
    assert not source.names("train") & source.names("test")
    tasks = source.sample("test", range(3))
    assert tasks.support.inputs.shape == (3, 5, 3, 32, 32)


def test_pixels_are_red_green_and_blue_in_rows_and_every_picture_is_with_its_class(
        tmp_path: Path, binary: Maker) -> None:
    found = read_cifar100(binary(tmp_path) / ARCHIVE)
    assert found.pixels.shape == (600, 3, 32, 32)
    assert list(found.names) == FINE
    assert list(found.above) == [ABOVE[name] for name in FINE]
    assert found.counts.tolist() == [6] * 100
    own = found.pixels[:, 0, 0, 0].reshape(100, 6)
    assert torch.equal(own, torch.arange(100).unsqueeze(1).expand(100, 6).to(torch.uint8))
    # Training pictures come before those for testing, and every one is there once.
    assert found.pixels[:, 1, 0, 0].reshape(100, 6).tolist() == [[100] * 4 + [101] * 2] * 100
    last = found.pixels[:, 2, -1, -1].reshape(100, 6)
    assert torch.equal(last[:, :4].sort().values, torch.arange(4).expand(100, 4).to(torch.uint8))
    assert found.pixels.float().sum() == found.pixels[:, 0, 0, 0].sum() + last.sum() + 60_000 + 200


def test_the_archive_and_its_folder_give_the_same(tmp_path: Path, binary: Maker, opened: Opener) -> None:
    packed, plain = binary(tmp_path / "packed"), binary(tmp_path / "plain", packed=False)
    first = read_cifar100(packed / ARCHIVE)
    paths = [packed, packed / ARCHIVE, plain, plain / FOLDER]
    for path in paths:
        source = opened("cifar_fs", path=path, task={"queries": 4})
        assert torch.equal(source.labelled.inputs, first.pixels)  # type: ignore[attr-defined]


def test_inputs_are_normalized_by_the_training_classes(tmp_path: Path, opened: Opener, binary: Maker) -> None:
    source = opened("fc100", path=binary(tmp_path), task={"queries": 4})
    assert isinstance(source, ClassTasks)
    rows = source.training_examples()
    pixels = source.labelled.inputs[torch.from_numpy(rows)].double() / 255
    torch.testing.assert_close(torch.tensor(source.spec.mean).double(), pixels.mean((0, 2, 3)), rtol=1e-5, atol=1e-7)
    # Blue is as good as one flat tone here, and is left as wide as it is.
    expected = [*pixels.std((0, 2, 3), correction=0)[:2].tolist(), 1.0]
    assert source.spec.deviation == pytest.approx(expected, rel=1e-5)


def test_both_look_in_each_others_downloads(binary: Maker, opened: Opener) -> None:
    with pytest.raises(DataError, match=r"FC100 is not in .*fc100: cifar-100-binary\.tar\.gz is missing; download it "
                                        r"with `workbench data download fc100`.*www\.cs\.toronto\.edu/~kriz"):
        opened("fc100")
    binary(places.datasets() / "cifar_fs")
    opened("fc100", task={"queries": 4})
    shutil.move(places.datasets() / "cifar_fs", places.datasets() / "fc100")
    opened("cifar_fs", task={"queries": 4})


@pytest.mark.parametrize(("changed", "message"), [
    ({"train_bin": records(4, 0)[:-5]}, r"train\.bin in .* has 1,229,595 bytes, which are no whole pictures of 3,074"),
    ({"test_bin": b""}, r"test\.bin in .* has 0 bytes"),
    ({"train_bin": None}, r"holds no train\.bin; it takes the binary version of CIFAR-100, not the Python"),
    ({"test_bin": bytes([0, 100]) + bytes(3072)}, "has a picture of class 100 and superclass 19 and names 100 and 20"),
])
def test_what_is_wrong_inside_is_named_with_the_remedy(tmp_path: Path, binary: Maker, opened: Opener,
                                                       changed: dict[str, bytes | None], message: str) -> None:
    with pytest.raises(DataError, match=f"{message}.*download cifar-100-binary"):
        opened("cifar_fs", path=binary(tmp_path, **changed))


def test_a_truncated_archive_is_named_and_nothing_of_it_is_kept(tmp_path: Path, binary: Maker, opened: Opener) -> None:
    archive = binary(tmp_path) / ARCHIVE
    whole = archive.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:30], b"no archive at all", b""):
        archive.write_bytes(content)
        with pytest.raises(DataError, match=r"cifar-100-binary\.tar\.gz (is damaged|holds no)"):
            opened("cifar_fs", path=tmp_path)
    assert not list(places.cache().rglob("*.safetensors"))
    archive.write_bytes(whole)
    opened("cifar_fs", path=tmp_path, task={"queries": 4})


def test_classes_that_cifar_100_has_not_are_refused(tmp_path: Path, binary: Maker, opened: Opener) -> None:
    names: dict[str, Any] = {"fine_label_names.txt": "\n".join(["unicorn", *FINE[1:]]).encode()}
    with pytest.raises(DataError, match="has a class unicorn, which CIFAR-100 has not"):
        opened("cifar_fs", path=binary(tmp_path, **names))


def test_the_archive_and_its_folder_are_recognized(tmp_path: Path, binary: Maker) -> None:
    packed, plain = binary(tmp_path / "packed"), binary(tmp_path / "plain", packed=False)
    for path in (packed, packed / ARCHIVE, plain, plain / FOLDER):
        found = recognize_data(path)
        assert (found.dataset, found.form, found.settings) == ("cifar_fs", "CIFAR-FS", {"path": str(path)})
    report = check_data(packed)
    assert (report["classes"], report["examples"], report["size"], report["color"]) == (100, 600, 32, "rgb")


def test_dataset_toml_asks_for_the_other_split(tmp_path: Path, binary: Maker) -> None:
    binary(tmp_path)
    (tmp_path / "dataset.toml").write_text('form = "fc100"\n')
    assert recognize_data(tmp_path).dataset == "fc100"


@pytest.mark.parametrize("kind", [CifarFs, Fc100])
def test_the_download_is_verified_and_never_half(
        server: FileServer, tmp_path: Path, kind: type[CifarFs | Fc100]) -> None:
    assert kind.downloadable
    assert [(file.name, len(file.checksum)) for file in kind.official] == [(ARCHIVE, 32)]
    with pytest.raises(DataError, match=r"is not the official cifar-100-binary\.tar\.gz \(its checksum is"):
        kind.download(tmp_path, lambda *_: None, never, [server.address])
    assert not list(tmp_path.iterdir())
    own = OfficialFile(ARCHIVE, MD5, len(CONTENT))
    told: list[tuple[int, int]] = []
    assert kind.download(tmp_path, lambda *now: told.append(now), never, [server.address], [own]) == tmp_path
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert (tmp_path / ARCHIVE).read_bytes() == CONTENT

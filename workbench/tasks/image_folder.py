"""Pictures in folders of the person's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Recognition
from workbench.tasks.files.each import NO_RIGHT
from workbench.tasks.files.errors import DataError, MeantDataError
from workbench.tasks.files.listing import Files, Listing, check_is_folder, list_files
from workbench.tasks.files.pictures import Color, is_picture, read_squares
from workbench.tasks.own.class_files import GROUPED_BY, ClassFoldersConfig, groups_of
from workbench.tasks.own.classes import Collection, OwnClasses
from workbench.tasks.own.fields import color_of_pictures, rotations_of_pictures, side_of_pictures
from workbench.tasks.own.folders import Layout, found_among, recognize
from workbench.tasks.own.picture_lists import FORM as LIST_FORM
from workbench.tasks.own.picture_lists import layout_of_lists, lists_of, said_missing, shut_lists
from workbench.words import counted


class ImageFolderConfig(ClassFoldersConfig):
    """Where the pictures lie and how they are brought to one shape."""

    name: Literal["image_folder"] = "image_folder"
    path: Path | None = field(None, label="Folder", help="Folder with a folder of pictures for each class; or train, "
                              "val and test with such folders in each; or alphabets of characters; or with "
                              "a folder of pictures and a list train.csv, val.csv and test.csv of files and labels.")
    size: int | None = side_of_pictures()
    color: Color = color_of_pictures()
    rotations: bool = rotations_of_pictures()


class ImageFolder(OwnClasses):
    """Pictures of your own: a folder for each class, with splits or alphabets above them where there are any, or lists.

    Anything that Pillow reads will do, of any sizes. Splits given by the folder are kept; otherwise the names of the
    classes and the split seed decide, and whole alphabets are held out together. Inputs are normalized with the mean
    and the deviation of the training classes.
    """

    Config = ImageFolderConfig
    title = "Image folder"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """The usual convolutional network."""
        return {"backbone.name": "conv4"}

    def turns(self, experiment: Experiment) -> bool:
        """As the person chose."""
        return bool(getattr(experiment.dataset, "rotations", False))

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """Pictures, whatever lies beside them."""
        pictures = [file for file in listing.files if is_picture(file.name)]
        if pictures and listing.is_file:
            raise DataError(f"{listing.path(pictures[0])} is one picture; name the folder that holds a folder of "
                            "pictures for each class")
        if not pictures:
            if not listing.said and (missing := said_missing(listing)):
                raise MeantDataError(missing)
            return None
        if lists := lists_of(listing):
            names = " and ".join(file.name for file in lists[:3])
            return Recognition(LIST_FORM, f"{names} {'lists' if len(lists) == 1 else 'list'} pictures and their labels",
                               0.93)
        layout = _layout(listing)
        many = len(layout.classes)
        if many < 2 and (shut := shut_lists(listing)):
            raise DataError(f"{listing.path(shut[0])} {NO_RIGHT}")
        why = (f"{len(pictures):,} of {counted(len(listing.files), 'files', 'is a picture', 'are pictures')}, in "
               f"{counted(many, 'folders')}")
        share = len(pictures) / len(listing.files)
        return Recognition(layout.form if many > 1 else "unknown", why, 0.6 * share if many > 1 else 0.2 * share)

    @classmethod
    def what_it_reads(cls) -> str:
        """A folder of folders."""
        return "the folder that holds your pictures, a folder for each class"

    @classmethod
    def read(cls, config: ImageFolderConfig) -> Collection:
        """Decode every picture of the folder."""
        assert config.path is not None  # noqa: S101 - the caller has checked
        if config.path.suffix.lower() != ".zip":
            check_is_folder(config.path.expanduser())
        listing = list_files(config.path)
        root, layout = listing.root, _layout(listing, config)
        files = [file for one in layout.classes for file in one.files]
        if not files:
            more = f". {layout.problems[0]}" if layout.problems else ""
            raise DataError(f"{config.path} holds no folder with pictures; put a folder of pictures for each class "
                            f"into it{more}")
        paths = Files(root, files)

        read = read_squares(paths, config.size, config.color, paths.stamp)
        names = [file.name for file in files]
        read.check_some(root, names)
        kept = read.kept
        owners = np.repeat(np.arange(len(layout.classes)), [len(one.files) for one in layout.classes])[kept]
        pixels = read.pixels
        height, width = pixels.shape[2:]
        tone = "grey" if pixels.shape[1] == 1 else "colour"
        problems = (*layout.problems, *read.problems(names))
        own = [files[i] for i in kept]
        return Collection(layout.classes, pixels, owners, [file.name for file in own], layout.form, "pictures",
                          (f"{height}×{width} {tone}", *layout.notes, *([read.notice] if read.notice else [])),
                          problems, moments=read.moments, groups=groups_of(layout, own),
                          grouped_by=GROUPED_BY[config.group_folder])


def _layout(listing: Listing, config: ImageFolderConfig | None = None) -> Layout:
    """The classes of a folder: those that lists in it give, else those of its folders."""
    lists = lists_of(listing)
    if lists:
        return layout_of_lists(listing, lists)
    found = found_among(listing.files, listing.problems, is_picture, "picture")
    levels = (config.class_folder, config.group_folder) if config is not None else ("auto", "auto")
    return recognize(found, "pictures", *levels)

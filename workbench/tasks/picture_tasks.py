"""Picture tasks of a person's own that come ready-made, each with its support and its queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from workbench.experiment.experiment import Experiment, TaskConfig
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Recognition
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Files, Listing, list_files
from workbench.tasks.files.pictures import Color, is_picture, read_squares
from workbench.tasks.files.words import named, shown
from workbench.tasks.own.fields import color_of_pictures, side_of_pictures
from workbench.tasks.own.ready_made import NOT_LABELLED, Place, placed_at, whole_tasks
from workbench.tasks.own.task_splits import OwnTask, TaskCollection, fitting_shape, without_overlap
from workbench.tasks.own.tasks import OwnClassTasksConfig, OwnTasks
from workbench.words import counted, listed, the

FORM = "ready-made picture tasks"


class PictureTasksConfig(OwnClassTasksConfig):
    """Where the pictures lie and how they are brought to one shape."""

    name: Literal["picture_tasks"] = "picture_tasks"
    path: Path | None = field(None, label="Folder", help="Folder with a folder for each task, in which there are "
                              "support and query with a folder of pictures for each class.")
    size: int | None = side_of_pictures()
    color: Color = color_of_pictures()


_Members = dict[tuple[str, str], list[tuple[int, Place]]]
"""The row and the place of every picture of a task, by its split and its name."""


class PictureTasks(OwnTasks):
    """Ready-made picture tasks: the very support and queries that you have put together, in
    `task/support/class/picture` and `task/query/class/picture`.

    Tasks may lie in folders called train, val and test. Queries that lie in no class folder are not labelled, so they
    cannot be trained on and are left out; where no task has others, both parts are drawn from the supports.
    """

    Config = PictureTasksConfig
    title = "Ready-made picture tasks"
    task_kinds = frozenset({"classification"})
    input_kinds = frozenset({"image"})

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """The usual convolutional network."""
        return {"backbone.name": "conv4"}

    @classmethod
    def what_it_reads(cls) -> str:
        """A folder of tasks."""
        return "the folder that holds your tasks, with support and query in each"

    @classmethod
    def idle(cls, config: Any, experiment: Experiment) -> Mapping[str, str]:  # noqa: ARG003
        """The ways of training are those of the tasks."""
        if experiment.training.ways in (None, experiment.task.ways):
            return {"training.ways": "ready-made tasks have the classes that they have"}
        return {}

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """Most pictures lie in a folder below a support or a query."""
        pictures = [file for file in listing.files if is_picture(file.name)]
        placed = [place for file in pictures if (place := placed_at(file)) is not None]
        whole = len(whole_tasks(placed))
        if not whole or 2 * len(placed) < len(listing.files):
            return None
        labelled = ((row, place) for row, place in enumerate(placed) if place.class_name)
        tasks, _ = _tasks(without_overlap(_members(labelled), "pictures")[0])
        shape = fitting_shape(tasks, TaskConfig()) if tasks else TaskConfig()
        return Recognition(FORM, f"{counted(whole, 'folders', 'holds', 'hold')} support and query", 0.9,
                           experiment={f"task.{name}": getattr(shape, name) for name in ("ways", "shots", "queries")})

    @classmethod
    def read_tasks(cls, config: PictureTasksConfig) -> TaskCollection:
        """Decode every picture that has a place."""
        assert config.path is not None  # noqa: S101 - the caller has checked
        listing = list_files(config.path)
        pictures = [file for file in listing.files if is_picture(file.name)]
        files = [file for file in pictures if (place := placed_at(file)) is not None and place.class_name]
        if not files:
            raise DataError(f"{config.path} holds no pictures in task/support/class and task/query/class; make a "
                            "folder for each task and these folders in it")
        paths = Files(listing.root, files)
        read = read_squares(paths, config.size, config.color, paths.stamp)
        names = [file.name for file in files]
        read.check_some(listing.root, names)
        kept = read.kept
        places = ((row, placed_at(files[int(number)])) for row, number in enumerate(kept))
        members, overlaps = without_overlap(_members((row, place) for row, place in places if place), "pictures")
        tasks, is_judged = _tasks(members)
        problems = [*listing.problems, *(_without_class(pictures) if is_judged else [NOT_LABELLED]), *overlaps,
                    *_lacking(members, tasks)]
        problems += read.problems(names)
        if not tasks:
            raise DataError(f"{config.path} holds no task with a support and a query of the same classes: "
                            f"{listed(problems, 3)}")
        height, width = read.pixels.shape[2:]
        tone = "grey" if read.pixels.shape[1] == 1 else "colour"
        return TaskCollection(tasks, read.pixels, lambda row: files[int(kept[row])].name, FORM, "pictures",
                              (f"{height}×{width} {tone}", *([read.notice] if read.notice else [])), tuple(problems),
                              raw="pixels / 255")


def _members(placed: Iterable[tuple[int, Place]]) -> _Members:
    members: _Members = {}
    for row, place in placed:
        members.setdefault((place.split, place.task), []).append((row, place))
    return members


def _tasks(members: _Members) -> tuple[tuple[OwnTask, ...], bool]:
    """The tasks with two classes or more in their support, and whether they have queries that can be judged; where none
    has any, they have no part for each of their examples, so that both are drawn from the support."""
    tasks = []
    is_judged = any(not place.is_support for own in members.values() for _, place in own)
    for (split, name), own in sorted(members.items()):
        classes = tuple(sorted({place.class_name for _, place in own if place.is_support}))
        known = [(row, place) for row, place in own if place.class_name in classes]
        if len(classes) < 2 or (is_judged and all(place.is_support for _, place in known)):
            continue
        tasks.append(OwnTask(
            name, np.array([row for row, _ in known], dtype=np.int64),
            np.array([classes.index(place.class_name) for _, place in known], dtype=np.int64), classes, split,
            support=np.array([place.is_support for _, place in known]) if is_judged else None))
    return tuple(tasks), is_judged


def _without_class(pictures: Sequence[FileEntry]) -> list[str]:
    """A sentence on the pictures that no class folder holds."""
    loose = [shown(file.name) for file in pictures if (place := placed_at(file)) is None or not place.class_name]
    if not loose:
        return []
    them, were = ("it", "it was") if len(loose) == 1 else ("them", "they were")
    return [f"{counted(len(loose), 'pictures', 'lies', 'lie')} in no class folder of a support or a query, so nobody "
            f"can be trained or judged on {them} and {were} left out: {listed(loose, 5)}"]


def _lacking(members: _Members, tasks: Sequence[OwnTask]) -> list[str]:
    """Sentences on the tasks that were left out whole, and on queries of classes that no support has."""
    places = [place for own in members.values() for _, place in own]
    taken = {(one.split, one.name): set(one.class_names) for one in tasks}
    out = sorted({place.task for place in places if (place.split, place.task) not in taken})
    sentences = [f"{the('task', shown(name))} has no labelled support of two classes or no labelled query of them, and "
                 "was left out" for name in out]
    strange = Counter((place.task, place.class_name) for place in places
                      if place.class_name not in taken.get((place.split, place.task), {place.class_name}))
    sentences += [f"{the('task', shown(task))} has {counted(count, 'queries')} of {shown(name)} and no support of it; "
                  f"{'it was' if count == 1 else 'they were'} left out"
                  for (task, name), count in sorted(strange.items())]
    return named(sentences, "{} more tasks lack a support or a query")

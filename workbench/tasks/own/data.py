"""What every dataset of a person's own shares: where its data lie, and what is written beside them."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from workbench.experiment.fields import Choice
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import with_notes

C = TypeVar("C", bound=Choice)


class Held(NamedTuple):
    """What data hold, whether or not tasks can be made of them.

    Attributes:
        classes: How many, of all splits and tasks; 0 for regression.
        examples: How many.
        problems: What is wrong and was left out.
    """

    classes: int
    examples: int
    problems: tuple[str, ...]


class OwnData(TaskSource):
    """A dataset whose config has a `path` to data that a person brings."""

    @classmethod
    def what_it_reads(cls) -> str:
        """What `dataset.path` is to name, in words."""
        return "the file or folder that holds your data"

    @classmethod
    def place(cls, config: Choice) -> Path:
        """Where the data of a config lie.

        Raises:
            DataError: It does not say.
        """
        path: Path | None = getattr(config, "path", None)
        if path is None:
            raise DataError(f"dataset.path: name {cls.what_it_reads()}")
        return path

    @classmethod
    def noted(cls, config: C) -> C:
        """The config with what `dataset.toml` beside its data says.

        Raises:
            DataError: It has no path, or the file will not do.
        """
        cls.place(config)
        return with_notes(config)

    @classmethod
    @abstractmethod
    def held(cls, config: Any) -> Held:
        """What the data of a config hold, though they may not do.

        Raises:
            DataError: Nothing can be read of them.
        """

"""What is wrong with data, as errors that name the place and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DataError(ValueError):
    """Data that cannot be turned into tasks; the message names the file or folder and the remedy.

    Attributes:
        remedy: Values to set, by their dotted names, with which the data will do; empty where no fields would help.
    """

    def __init__(self, message: str, remedy: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.remedy = dict(remedy or {})


class MeantDataError(DataError):
    """Raised in recognition by a dataset that the data are certainly meant for, so that no other may claim them."""


class FileError(ValueError):
    """A file that cannot be used; the message continues a sentence that begins with the file's name."""


class PassingError(FileError):
    """A file that cannot be used now and perhaps a moment later, so that nobody may remember it as broken."""

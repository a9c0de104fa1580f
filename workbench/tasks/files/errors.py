"""What is wrong with data, as errors that name the place and the remedy."""

from __future__ import annotations


class DataError(ValueError):
    """Data that cannot be turned into tasks; the message names the file or folder and the remedy."""


class MeantDataError(DataError):
    """Raised in recognition by a dataset that the data are certainly meant for, so that no other may claim them."""


class FileError(ValueError):
    """A file that cannot be used; the message continues a sentence that begins with the file's name."""


class PassingError(FileError):
    """A file that cannot be used now and perhaps a moment later, so that nobody may remember it as broken."""

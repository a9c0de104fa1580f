"""Fetches an official file: whole and verified, or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, NamedTuple

from workbench.tasks.files.errors import DataError

Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]

_PIECE = 1 << 16
_PATIENCE = 20.0
_ALGORITHMS = {32: "md5", 64: "sha256"}


class DownloadCancelledError(DataError):
    """The person gave up; nothing was kept."""


class OfficialFile(NamedTuple):
    """A file of an official release: its name, MD5 and bytes (the latter for the progress bar alone)."""

    name: str
    checksum: str
    size: int


def fetch_all(addresses: Sequence[str], files: Iterable[OfficialFile], to: Path, progress: Progress,
              cancelled: Cancelled) -> None:
    """Download the files of a release; one that is already there and whole is kept.

    Args:
        addresses: Folders on servers that all have the files; the next is asked where one does not give a file.
        files: What to fetch.
        to: Folder that they go into; made where it is missing.
        progress: Told of (bytes so far, bytes in all), over all files.
        cancelled: As for `fetch`.

    Raises:
        DownloadCancelledError: `cancelled` said so.
        DataError: No server gave one of the files; the message is that of the last.
    """
    files = tuple(files)
    before, total = 0, sum(file.size for file in files)
    for file in files:
        if not is_whole(to / file.name, file.checksum):
            _fetch_from_any(addresses, file, to / file.name, _shifted(progress, before, total), cancelled)
        before += file.size
        progress(before, total)


def _fetch_from_any(addresses: Sequence[str], file: OfficialFile, to: Path, progress: Progress,
                    cancelled: Cancelled) -> None:
    for number, address in enumerate(addresses, 1):
        try:
            fetch(f"{address}/{file.name}", to, file.checksum, progress, cancelled)
        except DownloadCancelledError:
            raise
        except DataError:
            if number == len(addresses):
                raise
        else:
            return


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _: progress(min(before + done, total), total)


def is_whole(path: Path, checksum: str) -> bool:
    """Whether a file is there and has this MD5.

    Raises:
        DataError: It is there and may not be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == checksum
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give yourself the right to read it, or delete "
                        "it") from error


def fetch(url: str, to: Path, checksum: str, progress: Progress, cancelled: Cancelled) -> None:
    """Download a file beside its place, verify it and only then move it there.

    Args:
        url: Address that begins with https:// or http://.
        to: Where the file goes; its folder is made where it is missing.
        checksum: MD5 (32 digits) or SHA-256 (64 digits) that the file must have.
        progress: Told of (bytes so far, bytes in all, 0 where the server does not say) after every piece.
        cancelled: Asked before every piece whether to give up.

    Raises:
        DownloadCancelledError: `cancelled` said so.
        DataError: No network, a broken transfer, another file than the official one, or no place to write.
    """
    if not url.startswith(("https://", "http://")):
        raise DataError(f"{url} is no address to download from; it must begin with https://")
    by_hand = f"try again later, or fetch {url} by another way and put it into {to.parent} as {to.name}"
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=to.parent, prefix=f"{to.name}.", suffix=".part")
    except OSError as error:
        raise DataError(f"{to.parent} cannot be written to ({error.strerror}); choose another folder") from error
    part = Path(name)
    digest = hashlib.new(_ALGORITHMS[len(checksum)], usedforsecurity=False)
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in _pieces(url, progress, cancelled, by_hand):
                digest.update(piece)
                _write(file, piece)
        found = digest.hexdigest()
        if found != checksum.lower():
            raise DataError(f"what {url} sent is not the official {to.name} (its checksum is {found} and should be "
                            f"{checksum}); {by_hand}")
        try:
            part.replace(to)
        except OSError as error:
            raise DataError(f"{to} cannot be written ({error.strerror}); close whatever has it open, or choose "
                            "another folder") from error
    finally:
        part.unlink(missing_ok=True)


def _pieces(url: str, progress: Progress, cancelled: Cancelled, by_hand: str) -> Iterator[bytes]:
    """What the address gives, piece by piece; raises DataError where it does not give all of it."""
    done = 0
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as response:  # noqa: S310 - `fetch` admits only http(s)
            total = int(response.headers.get("Content-Length") or 0)
            while piece := _piece(response, cancelled):
                done += len(piece)
                yield piece
                progress(done, total)
    except urllib.error.HTTPError as error:
        # The error holds the open answer of the server.
        error.close()
        raise DataError(f"the server answered {error.code} ({error.reason}) to {url}; {by_hand}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{url} cannot be reached ({reason}); check the network, {by_hand}") from error
    if total and done != total:
        raise DataError(f"the transfer of {url} ended after {done:,} of {total:,} bytes; {by_hand}")


def _piece(response: HTTPResponse, cancelled: Cancelled) -> bytes:
    if cancelled():
        raise DownloadCancelledError("the download was cancelled; nothing was kept")
    # Whatever has arrived, rather than a full piece, so that a slow line does not hold up a cancellation.
    return response.read1(_PIECE)


def _write(file: BinaryIO, piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise DataError(f"{file.name} cannot be written ({error.strerror}); free some space or choose another "
                        "folder") from error

"""Downloads from a server on this machine: whole and verified, or nothing at all."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest

from tests.serving import CONTENT, MD5, FileServer, never
from workbench.tasks.files.download import DownloadCancelledError, OfficialFile, fetch, fetch_all
from workbench.tasks.files.errors import DataError
from workbench.tasks.omniglot import Omniglot


def test_a_file_arrives_whole_and_tells_how_far_it_is(server: FileServer, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    target = tmp_path / "new" / "a.zip"
    fetch(f"{server.address}/a.zip", target, MD5, lambda *now: told.append(now), never)
    assert target.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert list(target.parent.iterdir()) == [target]


def test_a_sha256_will_do_as_well_and_a_length_is_not_needed(server: FileServer, tmp_path: Path) -> None:
    told: list[int] = []
    fetch(f"{server.address}/unsized.zip", tmp_path / "a.zip", hashlib.sha256(CONTENT).hexdigest(),
          lambda _, total: told.append(total), never)
    assert set(told) == {0}
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize(("name", "checksum", "message"), [
    ("a.zip", "0" * 32, r"is not the official a\.zip .*put it into .* as a\.zip"),
    ("half.zip", MD5, r"ended after 256,000 of 512,000 bytes; .*put it into .* as half\.zip"),
    ("missing.zip", MD5, r"the server answered 404 .*put it into .* as missing\.zip"),
])
def test_what_does_not_arrive_as_it_should_leaves_nothing_and_says_what_to_do(
        server: FileServer, tmp_path: Path, name: str, checksum: str, message: str) -> None:
    (tmp_path / name).write_text("the old one")
    with pytest.raises(DataError, match=message):
        fetch(f"{server.address}/{name}", tmp_path / name, checksum, lambda *_: None, never)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the old one"]


def test_without_a_network_the_remedy_is_to_fetch_it_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(DataError, match=r"cannot be reached .*refused.*the network.*put it into .* as a\.zip"):
            fetch(f"http://127.0.0.1:{port}/a.zip", tmp_path / "a.zip", MD5, lambda *_: None, never)
    assert not list(tmp_path.iterdir())


def test_a_person_may_give_up_half_way(server: FileServer, tmp_path: Path) -> None:
    done: list[int] = []
    with pytest.raises(DownloadCancelledError, match="nothing was kept"):
        fetch(f"{server.address}/a.zip", tmp_path / "a.zip", MD5, lambda now, _: done.append(now), lambda: bool(done))
    assert 0 < done[-1] < len(CONTENT)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_named(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"file cannot be written to .*choose another folder"):
        fetch(f"{server.address}/a.zip", tmp_path / "file" / "a.zip", MD5, lambda *_: None, never)
    (tmp_path / "a.zip").mkdir()
    with pytest.raises(DataError, match=r"a\.zip cannot be written"):
        fetch(f"{server.address}/a.zip", tmp_path / "a.zip", MD5, lambda *_: None, never)


def test_only_web_addresses_are_fetched(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must begin with https://"):
        fetch("file:///etc/hosts", tmp_path / "a", MD5, lambda *_: None, never)


def test_omniglot_fetches_both_files_and_keeps_what_is_already_there(
        server: FileServer, tmp_path: Path) -> None:
    files = [OfficialFile("one.zip", MD5, len(CONTENT)), OfficialFile("two.zip", MD5, len(CONTENT))]
    told: list[tuple[int, int]] = []
    (tmp_path / "one.zip").write_bytes(CONTENT)
    (tmp_path / "two.zip").write_bytes(CONTENT[:5])
    assert Omniglot.downloadable
    to = Omniglot.download(tmp_path, lambda *now: told.append(now), never, server.address, files)
    assert to == tmp_path
    assert (tmp_path / "two.zip").read_bytes() == CONTENT
    assert server.asked == ["two.zip"]
    assert told[0] == (len(CONTENT), 2 * len(CONTENT))
    assert told[-1] == (2 * len(CONTENT), 2 * len(CONTENT))


def test_the_next_server_is_asked_where_one_does_not_have_a_file(server: FileServer, tmp_path: Path) -> None:
    files = [OfficialFile("one.zip", MD5, len(CONTENT)), OfficialFile("two.zip", MD5, len(CONTENT))]
    lacking, having = f"{server.address}/lacking", server.address
    told: list[tuple[int, int]] = []
    fetch_all([lacking, having], files, tmp_path, lambda *now: told.append(now), never)
    assert server.asked == ["one.zip", "one.zip", "two.zip", "two.zip"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]
    assert told[-1] == (2 * len(CONTENT), 2 * len(CONTENT))
    with pytest.raises(DataError, match=r"is not the official wrong\.zip"):
        fetch_all([lacking, having], [OfficialFile("wrong.zip", "0" * 32, 5)], tmp_path, lambda *_: None, never)
    assert not (tmp_path / "wrong.zip").exists()


def test_giving_up_asks_no_other_server(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadCancelledError):
        fetch_all([server.address, server.address], [OfficialFile("a.zip", MD5, 5)], tmp_path, lambda *_: None,
                  lambda: True)
    assert len(server.asked) == 1
    assert not list(tmp_path.iterdir())

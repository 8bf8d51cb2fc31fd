"""Snapshots and the files they consist of: whole, private, and an error wherever they are damaged."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import zstandard

from scanner.errors import SnapshotError
from scanner.store.files import atomic_write, make_private_dir, sha256_of
from scanner.store.snapshots import RECORDS, Snapshot, load_snapshot, point_latest, stream_records
from tests.builders import many, record, write_snapshot


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fail_after(_: int, error: BaseException) -> None:
    raise error


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_an_atomic_write_is_private_and_leaves_nothing_beside_the_file(tmp_path: Path, open_umask: None) -> None:
    with atomic_write(tmp_path / "a.json") as out:
        out.write(b"new")
    assert (tmp_path / "a.json").read_bytes() == b"new"
    assert mode_of(tmp_path / "a.json") == 0o600
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old")
    with atomic_write(target) as out:
        out.write(b"ne")
        out.flush()
        assert target.read_bytes() == b"old"
        hidden = [name for name in os.listdir(tmp_path) if name != "a.json"]
        assert [name.startswith(f".a.json.{os.getpid()}.") for name in hidden] == [True]
        out.write(b"w")
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file_and_no_temporary_one(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old")
    with pytest.raises(type(error)), atomic_write(target) as out:
        fail_after(out.write(b"half"), error)
    assert (target.read_bytes(), os.listdir(tmp_path)) == (b"old", ["a.json"])


def test_a_symlink_at_the_target_is_replaced_and_what_it_named_is_untouched(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "a.json").symlink_to(victim)
    with atomic_write(tmp_path / "a.json") as out:
        out.write(b"new")
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "a.json").is_symlink()


def test_a_write_into_a_missing_folder_names_the_path_and_the_reason(tmp_path: Path) -> None:
    target = tmp_path / "none" / "a.json"
    with pytest.raises(SnapshotError) as caught, atomic_write(target):
        pass
    assert str(caught.value) == f"{target}: cannot be written: No such file or directory"


def test_another_file_that_fails_inside_a_write_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError) as caught, atomic_write(tmp_path / "a.json") as out:
        out.write((tmp_path / "sub" / "source").read_bytes())
    assert str(tmp_path / "sub" / "source") in str(caught.value)


@pytest.mark.parametrize("umask", [0, 0o277])
def test_a_private_folder_and_its_new_parents_are_0700_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = make_private_dir(tmp_path / "reports" / "prod")
    finally:
        os.umask(before)
    assert [mode_of(made), mode_of(made.parent)] == [0o700, 0o700]


def test_an_existing_folder_of_ours_is_narrowed(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o777)
    assert mode_of(make_private_dir(folder)) == 0o700


@pytest.mark.parametrize("target", ["real", "nowhere"])
def test_a_symlink_is_refused_as_a_private_folder(tmp_path: Path, target: str) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "cache"
    link.symlink_to(tmp_path / target)
    with pytest.raises(SnapshotError, match=r"cache: is a symbolic link"):
        make_private_dir(link)


def test_a_file_is_refused_as_a_private_folder(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(SnapshotError, match="cache: is not a folder"):
        make_private_dir(tmp_path / "cache")


def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    foreign = Path("/usr")
    if os.geteuid() == 0:
        foreign = tmp_path / "cache"
        foreign.mkdir()
        os.chown(foreign, 65534, 65534)
    with pytest.raises(SnapshotError, match=f"{foreign}: belongs to user"):
        make_private_dir(foreign)


def test_a_checksum_is_that_of_the_content_and_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(SnapshotError, match="b: cannot be read"):
        sha256_of(tmp_path / "b")


def test_records_come_back_as_they_were_written_and_in_order(tmp_path: Path) -> None:
    records = [*many(3000), record(resource_id="line\nbreak", tags={"é\u2028": "\u0000"})]
    write_snapshot(tmp_path / "one", records)
    assert list(load_snapshot(tmp_path / "one").records()) == records


def test_an_empty_scan_has_no_records_and_no_error(tmp_path: Path) -> None:
    assert list(write_snapshot(tmp_path / "one").records()) == []


def test_frames_one_after_another_are_one_file(tmp_path: Path) -> None:
    packed = [zstandard.compress(orjson.dumps(one) + b"\n") for one in many(5)]
    (tmp_path / RECORDS).write_bytes(b"".join(packed))
    assert list(stream_records(tmp_path / RECORDS)) == list(many(5))


def test_a_file_cut_off_anywhere_is_an_error_never_a_shorter_inventory(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "one", many(200))
    file = tmp_path / "one" / RECORDS
    whole = file.read_bytes()
    for length in [0, 1, 4, 9, *range(10, len(whole), 37), len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(SnapshotError, match=r"resources\.jsonl\.zst"):
            list(snapshot.records())


def test_a_changed_byte_anywhere_is_an_error(tmp_path: Path) -> None:
    records = list(many(200))
    snapshot = write_snapshot(tmp_path / "one", records)
    file = tmp_path / "one" / RECORDS
    whole = file.read_bytes()
    for place in range(0, len(whole), 23):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with contextlib.suppress(SnapshotError):  # or the byte said nothing about the records
            assert list(snapshot.records()) == records, f"byte {place} changed the records unnoticed"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a":1}\n{"a":\n', "record 2 is damaged"),
        (b'{"a":1}\n[1]\n', "record 2 is damaged: not a JSON object"),
        (b'{"a":1}\n{"a":2}', "record 2 is damaged: the file ends in its middle"),
        (b"\xff\xfe\n", "record 1 is damaged"),
    ],
)
def test_a_damaged_record_is_named_by_file_and_number(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / RECORDS
    file.write_bytes(zstandard.compress(content))
    with pytest.raises(SnapshotError, match=said) as caught:
        list(stream_records(file))
    assert str(caught.value).startswith(str(file))


def test_a_record_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    file = tmp_path / RECORDS
    file.write_bytes(zstandard.compress(b"a" * (80 << 20)))
    with pytest.raises(SnapshotError, match="record 1 is longer than 64 MiB"):
        list(stream_records(file))


def test_other_records_than_the_manifest_counts_are_an_error(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "one", many(3))
    more = write_snapshot(tmp_path / "two", many(4))
    mixed = Snapshot(tmp_path / "one", more.manifest)
    with pytest.raises(SnapshotError, match=r"has 3 records where manifest\.json says 4"):
        list(mixed.records())


def test_a_file_changed_after_the_scan_is_found_by_its_checksum(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "one", many(3))
    snapshot.verify()
    with (tmp_path / "one" / RECORDS).open("ab") as file:
        file.write(zstandard.compress(b""))
    with pytest.raises(SnapshotError, match="its checksum differs"):
        snapshot.verify()


def test_a_manifest_cannot_make_verify_read_files_elsewhere(tmp_path: Path) -> None:
    files = {"../../etc/passwd": {"sha256": "0" * 64, "size_bytes": 1}}
    with pytest.raises(SnapshotError, match="is not a plain file name"):
        write_snapshot(tmp_path / "one", files=files).verify()


def test_the_latest_snapshot_is_found_by_folder_by_pointer_and_by_itself(tmp_path: Path) -> None:
    profile = tmp_path / "reports" / "prod"
    write_snapshot(profile / "20260301T100000Z-aa", many(1))
    newer = write_snapshot(profile / "20260302T100000Z-bb", many(2))
    point_latest(newer.path)
    found = [load_snapshot(ref).path for ref in (profile, profile / "latest", str(newer.path))]
    assert found == [newer.path] * 3
    assert (profile / "latest").read_text() == "20260302T100000Z-bb\n"


@pytest.mark.parametrize(
    "name", ["../../secret", "..", ".", "/etc", "a/b", ".hidden", "", "a\nb", "x" * 5000, "-rf", "é", "secret/../x"]
)
def test_a_hostile_pointer_leads_nowhere(tmp_path: Path, name: str) -> None:
    write_snapshot(tmp_path / "secret")
    profile = tmp_path / "reports" / "prod"
    profile.mkdir(parents=True)
    (profile / "latest").write_text(name)
    with pytest.raises(SnapshotError, match="is not the name of a snapshot folder beside it"):
        load_snapshot(profile)


def test_a_pointer_is_not_followed_through_a_symlink_or_to_a_missing_folder(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "elsewhere")
    profile = tmp_path / "prod"
    profile.mkdir()
    (profile / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("link", "missing"):
        (profile / "latest").write_text(name)
        with pytest.raises(SnapshotError, match=f"names {name}, which is not a folder beside it"):
            load_snapshot(profile)


def test_latest_is_never_made_to_name_a_folder_that_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="is no name of a snapshot folder"):
        point_latest(tmp_path / ".hidden")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "cannot be read"),
        (b"[]", "schema_version is None; this program reads 1"),
        (b'{"schema_version": 2}', "schema_version is 2; this program reads 1"),
        (b'{"schema_version": 1, "profile": {}}', "is damaged: without accounts, totals, ledger, files"),
    ],
)
def test_a_manifest_of_another_kind_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(SnapshotError, match=said) as caught:
        load_snapshot(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "manifest.json"))


def test_what_is_no_snapshot_is_refused_with_what_is_wanted(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none", "no such file or folder"), (tmp_path, "a folder with neither")):
        with pytest.raises(SnapshotError, match=said):
            load_snapshot(path)

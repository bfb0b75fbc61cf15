"""Small files that unpack to large ones take little memory, whatever they declare."""

import gzip
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest
import structure_sets as sets
from snapshot_rows import file_params

from lodestone.errors import LodestoneError
from lodestone.snapshot.files.entries import read_entries
from lodestone.snapshot.files.json_list import read_objects
from lodestone.snapshot.take import take_snapshot

BOMB = 100 * 2**20  # bytes, unpacked
LITTLE = 16 * 2**20  # bytes


def peak_of(work: Callable[[], object]) -> int:
    """Most bytes that Python's allocators held at a time beyond those before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(path) -> str:
    with pytest.raises(LodestoneError) as error:
        take_snapshot(file_params(path), seed=1)
    return str(error.value)


def zip_that_lies(path, method: int, declared: int = 100):
    """A zip whose member mp-1.cif says in both headers that it has 100 bytes."""
    sets.write_zip(path, {name: content for name, content in sets.folder_files().items() if name != "mp-1.cif"})
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("mp-1.cif", b" " * BOMB)
    content = bytearray(path.read_bytes())
    for signature, size_at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.rindex(signature)
        content[start + size_at : start + size_at + 4] = struct.pack("<I", declared)
    path.write_bytes(bytes(content))
    return path


def test_a_zip_packed_by_a_method_that_unpacks_whole_blocks_is_refused(tmp_path):
    for method, name in ((zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")):
        path = zip_that_lies(tmp_path / f"{name}.zip", method)
        assert path.stat().st_size < 50_000
        assert (
            peak_of(lambda path=path, name=name: f"packed with {name}" in refused(path) or pytest.fail(name)) < LITTLE
        )


def test_a_member_that_is_larger_than_it_declares_is_not_unpacked(tmp_path):
    path = zip_that_lies(tmp_path / "set.zip", zipfile.ZIP_DEFLATED)
    found = []
    assert peak_of(lambda: found.append(take_snapshot(file_params(path), seed=1))) < LITTLE
    assert any("mp-1.cif is damaged in the zip" in reason for reason in found[0][1]["reason"])


def test_a_gzip_that_unpacks_to_far_more_than_itself_is_refused_early(tmp_path):
    path = tmp_path / "entries.json.gz"
    path.write_bytes(gzip.compress(b"[" + b" " * BOMB + b"]"))
    assert peak_of(lambda: "when unpacked" in refused(path) or pytest.fail("read")) < LITTLE


def test_reasons_why_entries_are_of_no_use_fill_no_memory(tmp_path):
    path = tmp_path / "entries.json"
    path.write_bytes(b"[" + b"{}," * 2**18 + b"{}]")
    told = "1001 of the first 1001 entries are not usable"
    assert peak_of(lambda: told in refused(path) or pytest.fail("read")) < LITTLE


def test_blanks_and_one_endless_element_fill_no_memory(tmp_path):
    path = tmp_path / "entries.json"
    path.write_bytes(b"[" + b" " * BOMB)
    assert peak_of(lambda: "entry 1" in refused(path) or pytest.fail("read")) < LITTLE


def test_a_long_list_is_read_an_element_at_a_time(tmp_path):
    path = tmp_path / "entries.json"
    path.write_text(json.dumps(sets.entries() * 2000))
    assert path.stat().st_size > LITTLE / 2

    def count() -> None:
        assert sum(1 for _ in read_objects(path)) == 2000 * len(sets.entries())

    assert peak_of(count) < 2**21


def test_elements_that_lie_across_pieces_are_whole(tmp_path, monkeypatch):
    """Among them letters of several bytes."""
    path = tmp_path / "entries.json"
    content = [{"name": "Å" * n, "numbers": list(range(n))} for n in range(60)]
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8-sig")
    for size in (1, 2, 3, 7, 50, 10_000):
        monkeypatch.setattr("lodestone.snapshot.files.json_list._PIECE", size)
        assert list(read_objects(path)) == content


def test_a_packed_file_is_read_as_one_that_is_not(tmp_path):
    text = json.dumps(sets.entries())
    (tmp_path / "a.json").write_text(text)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = (read_entries(tmp_path / name)[0] for name in ("a.json", "a.json.gz"))
    assert plain.equals(packed)

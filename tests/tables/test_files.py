"""Files appear whole or not at all, equal tables are equal bytes, and a broken contract is named."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from lodestone.errors import LodestoneError
from lodestone.schemas import References
from lodestone.snapshot.downloads.parts import part_facts, read_part
from lodestone.tables.files import read_json, read_table, write_atomically, write_json, write_table
from waiting import HANG

TABLE = pl.DataFrame({"element": ["Na", "Cl"], "energy_per_atom": [-1.3, -1.8], "material_id": ["a", "b"]})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "table.parquet"


def files_beside(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), LodestoneError),
        (PermissionError(errno.EACCES, "Permission denied"), LodestoneError),
        (pl.exceptions.ComputeError("I/O error: No space left on device"), LodestoneError),
        (ValueError("a defect of ours"), ValueError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_fault_in_the_middle_leaves_the_old_file(path, fault, raised):
    write_table(TABLE, path)
    before = path.read_bytes()

    def write(target: Path) -> None:
        target.write_bytes(before[: len(before) // 2])
        raise fault

    with pytest.raises(raised) as told:
        write_atomically(path, write)
    if raised is LodestoneError:
        assert f"{path} cannot be written: " in told.value.problem
        assert str(fault) in told.value.problem
        assert "disk space" in told.value.remedy
    assert path.read_bytes() == before
    assert files_beside(path) == ["table.parquet"]


LIMITED = """
import resource, sys
from pathlib import Path
import polars as pl
from lodestone.errors import LodestoneError
from lodestone.tables.files import write_json, write_table
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
numbers = [(7 * i * i) % 1_000_003 for i in range(50_000)]
for write, name in ((lambda p: write_table(pl.DataFrame({"x": numbers}), p), "t.parquet"),
                    (lambda p: write_json(numbers, p), "t.json")):
    try:
        write(Path(name))
    except LodestoneError as error:
        print(error.problem)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are a thing of POSIX")
def test_a_disk_that_really_refuses(tmp_path):
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")
    }  # it writes a file, too
    environment = kept | {"PYTHONPATH": str(Path(__file__).parents[2] / "pipeline")}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert done.stderr == ""
    parquet, text = done.stdout.splitlines()
    assert parquet.startswith("t.parquet cannot be written: ")
    assert text.startswith("t.json cannot be written: ")
    assert list(tmp_path.iterdir()) == []


def test_equal_tables_are_equal_bytes_in_any_order_of_rows(path):
    write_table(TABLE, path, References, sort_by="element", metadata={"note": "x"})
    first = path.read_bytes()
    write_table(
        TABLE.reverse().select(TABLE.columns[::-1]), path, References, sort_by="element", metadata={"note": "x"}
    )
    assert path.read_bytes() == first
    assert read_table(path, References)["element"].to_list() == ["Cl", "Na"]
    assert pl.read_parquet_metadata(path)["note"] == "x"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (TABLE.with_columns(energy_per_atom=pl.lit(float("nan"))), "energy_per_atom"),
        (TABLE.with_columns(energy_per_atom=pl.lit(None, dtype=pl.Float64)), "energy_per_atom"),
        (TABLE.with_columns(energy_per_atom=pl.lit("low")), "energy_per_atom"),
        (TABLE.with_columns(element=pl.lit("Na")), "element"),
        (TABLE.drop("material_id"), "material_id"),
        (TABLE.with_columns(surprise=pl.lit(1)), "surprise"),
    ],
    ids=["nan", "null", "type", "not unique", "missing", "unknown"],
)
def test_a_broken_contract_names_file_and_column(path, table, told):
    with pytest.raises(LodestoneError, match=f"table.parquet breaks the contract References: .*{told}"):
        write_table(table, path, References)
    assert not path.exists()
    write_table(table, path)
    with pytest.raises(LodestoneError, match=f"table.parquet breaks the contract References: .*{told}"):
        read_table(path, References)


def test_missing_and_truncated_tables(path):
    with pytest.raises(LodestoneError, match=r"table\.parquet does not exist"):
        read_table(path)
    write_table(TABLE, path)
    for content in (path.read_bytes()[:-20], b"", b"no parquet at all"):
        path.write_bytes(content)
        with pytest.raises(LodestoneError, match=r"table\.parquet is no readable parquet file") as refused:
            read_table(path)
        assert "truncated" in refused.value.remedy


def test_a_panic_of_polars_is_damage_like_any_other(path, monkeypatch):
    write_table(TABLE, path)

    def panic(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("range end index 9 out of range")

    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(LodestoneError, match=r"table\.parquet is no readable parquet file: range end"):
        read_table(path)
    with pytest.raises(LodestoneError, match=r"table\.parquet is no readable part of a download: range end"):
        read_part(path, ["element"])
    monkeypatch.setattr(pl, "read_parquet_metadata", panic)
    assert part_facts(path) is None


def test_paths_may_be_text(path):
    write_table(TABLE, str(path))
    assert read_table(str(path)).equals(TABLE)
    write_json([1], str(path.with_suffix(".json")))
    assert read_json(str(path.with_suffix(".json"))) == [1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc says which file a descriptor is")
def test_content_is_on_the_disk_before_its_name_and_the_name_before_the_end(path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(os.readlink(f"/proc/self/fd/{fd}")), sync(fd)))
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append("rename"), replace(old, new)))
    write_json({}, path)
    assert done == [str(path.with_name(f".table.parquet.{os.getpid()}.tmp")), "rename", str(path.parent)]


IN_READ_ONLY = """
mkdir mine && mount -t tmpfs -o ro tmpfs mine || exit 77
cd mine && exec "$@"
"""
WRITES = """
from pathlib import Path
from lodestone.errors import LodestoneError
from lodestone.runtime.disk import check_writable
from lodestone.tables.files import write_json
for write in (lambda: write_json({}, Path("x.json")), lambda: check_writable(".")):
    try:
        write()
    except LodestoneError as error:
        print(error.problem)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="unshare is a thing of Linux")
def test_a_read_only_folder_is_named(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "pipeline")}
    apart = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", IN_READ_ONLY, "-"]
    done = subprocess.run(
        [*apart, sys.executable, "-c", WRITES],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode in (1, 77) and not done.stdout:
        pytest.skip(f"no mounts of one's own are allowed here: {done.stderr}")
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first.startswith("x.json cannot be written: [Errno 30] Read-only file system")
    assert second == f"{tmp_path}/mine cannot be written: Read-only file system"


def test_json(path):
    write_json({"b": 1, "a": [0.1, None]}, path)
    assert path.read_text().index('"a"') < path.read_text().index('"b"')
    assert read_json(path) == {"a": [0.1, None], "b": 1}
    before = path.read_bytes()
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            write_json({"mae": number}, path)
    assert path.read_bytes() == before
    assert files_beside(path) == ["table.parquet"]


@pytest.mark.parametrize("text", [None, "", '{"a": '])
def test_unreadable_json(path, text):
    path.parent.mkdir()
    if text is not None:
        path.write_text(text)
    with pytest.raises(LodestoneError, match=r"table\.parquet cannot be read"):
        read_json(path)


def test_json_is_read_back_as_written(path):
    content = {"energy": -1 / 3, "text": "Å"}
    write_json(content, path)
    assert json.loads(path.read_text()) == read_json(path) == content

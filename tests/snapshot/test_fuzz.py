"""Mutated rows and files of every format: an error with a remedy, a rejection with a reason, or a true row.

What gets through reading and validation must be said by the mutated file: each test reads identifier, composition and
energy of it by simpler means. A crystal that no mutation touched thereby has the formula and energy that it had before.
"""

import copy
import csv
import gzip
import io
import json
import math
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest
import structure_sets as sets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition
from snapshot_rows import LABELS, RULES

from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.curation.validation import check_rows
from lodestone.errors import LodestoneError
from lodestone.schemas import Rejections, Snapshot
from lodestone.snapshot.files.structure_files import parse_structure_file
from lodestone.snapshot.sources.file import FileParams
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure
from lodestone.snapshot.take import take_snapshot
from lodestone.tables.files import validated

# Stated for every element that a mutation can make: one without a reference would refuse the file and hide the rest.
REFERENCES = dict.fromkeys(ATOMIC_NUMBERS, 0.0) | {"Na": -1.0, "Cl": -2.0}
ODD = (
    None,
    True,
    "",
    "x",
    "-1.5",
    "NaN",
    "\ud800",
    math.nan,
    math.inf,
    -math.inf,
    1e308,
    10**400,
    -1,
    0,
    2.5,
    [],
    [1],
    {},
)
TABLE = [
    row | {"formation_energy_per_atom": sets.FORMATION[row["material_id"]], "energy_above_hull": 0.1}
    | {"formula": sets.FORMULAS[row["material_id"]], "nsites": len(row["atomic_numbers"]), "created_at": "2015-03-04"}
    for row in sets.rows()
]  # fmt: skip
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:No Pauling electronegativity"),  # of elements that mutations make
]
Said = tuple[object, str, object]  # identifier, reduced formula, energy per atom


def thorough(examples: int):
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def _good_rows(name: str, content: bytes) -> list[dict]:
    """Rows that get through; none where the file is refused, which must be by an error that is meant to be read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        params = FileParams(source="file", path=path, **LABELS, elemental_references=REFERENCES)
        try:
            table, rejections, _ = take_snapshot(params, seed=1)
            bad = check_rows(validated(table, Snapshot, path), RULES)
        except LodestoneError:
            return []
    reasons = pl.concat([validated(rejections, Rejections, path), bad])["reason"]
    assert (reasons.str.len_chars() > 5).all()
    return table.filter(~pl.col("material_id").is_in(bad["material_id"].implode())).to_dicts()


def _check(name: str, content: bytes, said: Iterable[Said], given_formation: bool = False) -> int:
    """Compare rows that get through with what the file says; returns how many there are."""
    said = list(said)
    rows = _good_rows(name, content)
    for row in rows:
        told = [
            energy for who, formula, energy in said if (who, formula) == (row["material_id"], row["formula_pretty"])
        ]
        column = "formation_energy_per_atom" if given_formation else "energy_per_atom"
        assert any(_equal(row[column], energy) for energy in told), (row, said)
        if not given_formation:
            elements = [SYMBOLS[z] for z in row["atomic_numbers"]]
            expected = row["energy_per_atom"] - sum(REFERENCES[e] for e in elements) / len(elements)
            assert row["formation_energy_per_atom"] == pytest.approx(expected, abs=1e-9)
            assert row["energy_above_hull"] > -1e-9
    return len(rows)


def _equal(found: object, energy: object) -> bool:
    if found is None or not isinstance(energy, int | float) or isinstance(energy, bool):
        return found is None and energy is None
    return math.isclose(found, energy, rel_tol=1e-9, abs_tol=1e-9)


def _formula(atomic_numbers: object) -> str:
    try:
        return Composition(Counter(SYMBOLS[z] for z in atomic_numbers)).reduced_formula  # type: ignore[attr-defined]
    except (TypeError, IndexError, ValueError):
        return "none"


def _places(value: object, at: tuple = ()) -> list[tuple]:
    """Paths to everything within nested lists and dictionaries."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] * bool(at) + [place for key, child in inner for place in _places(child, (*at, key))]


@st.composite
def mutations(draw, content: list[dict]) -> list[dict]:
    """The objects after one to three mutations."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(content) - 1))
        kind = draw(st.sampled_from(("drop", "rename", "odd", "odd", "swap", "duplicate", "permute")))
        if kind == "duplicate":
            content.append(copy.deepcopy(content[index]))
        elif kind == "permute":
            content = list(draw(st.permutations(content)))
        else:
            places = _places(content[index])
            shallow = [place for place in places if len(place) == 1]
            *above, key = draw(st.sampled_from(shallow if draw(st.booleans()) else places))
            target, other = content[index], content[index - 1]
            for step in above:
                target, other = target[step], _at(other, step)
            _change(target, key, kind, draw(st.sampled_from(ODD)) if kind == "odd" else _at(other, key))
    return content


def _change(target, key, kind: str, value: object) -> None:
    if kind == "drop" or (kind == "rename" and isinstance(target, list)):
        del target[key]
    elif kind == "rename":
        target[f"{key}_"] = target.pop(key)
    else:
        target[key] = copy.deepcopy(value)


def _at(value, key) -> object:
    try:
        return value[key]
    except (KeyError, IndexError, TypeError):
        return None


@st.composite
def damages(draw, content: bytes) -> bytes:
    """The bytes of a file, cut off or with a few of them changed, repeated or lost; and the same with whole lines."""
    kind = draw(st.sampled_from(("cut", "flip", "set", "lose", "repeat", "line", "line", "line", "end")))
    lines = content.splitlines(keepends=True)
    if kind in ("line", "end"):
        line = draw(st.integers(0, len(lines) - 1))
        return b"".join(lines[:line] + (lines[line + 1 :] if kind == "line" else []))
    place = draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        return content[:place]
    if kind == "lose":
        return content[:place] + content[place + draw(st.integers(1, 30)) :]
    if kind == "repeat":
        return content[:place] + content[max(0, place - draw(st.integers(1, 60))) :]
    damaged = bytearray(content)
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(content) - 1))
        damaged[place] = (
            draw(st.sampled_from(b"0123456789.-+eENaCl \n,;\"'"))
            if kind == "set"
            else damaged[place] ^ 1 << draw(st.integers(0, 7))
        )
    return bytes(damaged)


def _said_by_rows(rows: Iterable[dict], column: str = "energy_per_atom") -> list[Said]:
    return [
        (row.get("material_id"), _formula(row.get("atomic_numbers")), row.get(column))
        for row in rows
        if isinstance(row, dict)
    ]


def _lines(rows: Iterable[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _parsed(text: str) -> list:
    try:
        found = json.loads(text)
        return found if isinstance(found, list) else [found]
    except (ValueError, RecursionError):
        return []


@thorough(40)
@given(mutations(sets.rows()))
def test_rows_of_total_energies(rows):
    _check("fuzz.jsonl", _lines(rows), _said_by_rows(rows))


@pytest.mark.parametrize("key", list(sets.rows()[3]))
def test_every_odd_value_in_every_column(key):
    for odd in ODD:
        rows = sets.rows()
        rows[3][key] = odd
        _check("fuzz.jsonl", _lines(rows), _said_by_rows(rows))


@thorough(40)
@given(mutations(TABLE))
def test_rows_of_formation_energies(rows):
    _check("fuzz.jsonl", _lines(rows), _said_by_rows(rows, "formation_energy_per_atom"), given_formation=True)


@thorough(80)
@given(damages(_lines(sets.rows())))
def test_damaged_json_lines(content):
    rows = [found for line in content.split(b"\n") for found in _parsed(line.decode(errors="replace"))]
    _check("fuzz.jsonl", content, _said_by_rows(rows))


@thorough(50)
@given(mutations(TABLE))
def test_rows_of_parquet(rows):
    try:
        table = pl.DataFrame(rows, strict=False, infer_schema_length=None)
        content = io.BytesIO()
        table.write_parquet(content)
    except (Exception, pl.exceptions.PanicException):  # such a table cannot be written at all
        return
    said = _said_by_rows(table.to_dicts(), "formation_energy_per_atom")
    _check("fuzz.parquet", content.getvalue(), said, given_formation=True)


PARQUET = io.BytesIO()
pl.DataFrame(sets.rows()).write_parquet(PARQUET, row_group_size=2)


@thorough(60)
@given(damages(PARQUET.getvalue()))
def test_damaged_parquet(content):
    try:  # the format has no checksums: what a flipped bit makes of a number is what the file says
        said = _said_by_rows(pl.read_parquet(io.BytesIO(content)).to_dicts())
    except (Exception, pl.exceptions.PanicException):
        said = []
    _check("fuzz.parquet", content, said)


def _said_by_entry(entry: dict) -> list[Said]:
    try:
        numbers = [ATOMIC_NUMBERS[site["species"][0]["element"]] for site in entry["structure"]["sites"]]
        parts = [_product(found) for found in entry.get("energy_adjustments") or []] or [entry.get("correction") or 0]
        amounts = entry.get("composition") or Counter(SYMBOLS[z] for z in numbers)
        if Composition(amounts).reduced_formula != _formula(numbers) or min(amounts.values()) <= 0:
            return []
        size = sum(amounts.values())
        return [(str(entry.get("entry_id")), _formula(numbers), (entry["energy"] + sum(parts)) / size)]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        return []


def _product(adjustment: dict) -> float:
    return adjustment["adj_per_atom"] * adjustment["n_atoms"]


@thorough(60)
@given(mutations(sets.entries()))
def test_entries(entries):
    said = [told for entry in entries for told in _said_by_entry(entry)]
    _check("fuzz.json", json.dumps(entries).encode(), said)


def test_every_odd_value_at_every_place_of_an_entry():
    entry, odd_entries = sets.entries()[3], []
    for place in _places(entry):
        for odd in ODD:
            changed = copy.deepcopy(entry)
            target = changed
            for step in place[:-1]:
                target = target[step]
            target[place[-1]] = odd
            if place != ("entry_id",):
                changed["entry_id"] = f"mp-{len(odd_entries)}"
            odd_entries.append(changed)
    said = [told for found in odd_entries for told in _said_by_entry(found)]
    assert 0 < _check("fuzz.json", json.dumps(odd_entries).encode(), said) < len(odd_entries)


@thorough(50)
@given(damages(json.dumps(sets.entries()).encode()))
def test_damaged_entries(content):
    said = [told for entry in _parsed(content.decode(errors="replace")) for told in _said_by_entry(entry)]
    _check("fuzz.json", content, said)


TRUTH = [(name, sets.FORMULAS[name], energy) for name, energy in sets.TOTALS.items()]


@thorough(60)
@given(damages(gzip.compress(json.dumps(sets.entries()).encode(), mtime=0)))
def test_damaged_gzip(content):
    _check("fuzz.json.gz", content, TRUTH)


def _zipped(files: dict[str, str | bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), text)
    return content.getvalue()


@thorough(30)
@given(damages(_zipped(sets.folder_files())))
def test_damaged_zip(content):
    _check("fuzz.zip", content, TRUTH)


def _said_by_csv(content: bytes) -> list[tuple[str, float | None]]:
    lines = csv.DictReader(io.StringIO(content.decode(errors="replace")))
    return [(str(row.get("material_id")).strip(), _float(row.get("energy_per_atom"))) for row in lines]


def _float(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None


@thorough(25)
@given(damages(sets.folder_files()["energies.csv"].encode()))
def test_damaged_table_of_energies(content):
    said = [(name, sets.FORMULAS.get(name, "none"), energy) for name, energy in _said_by_csv(content)]
    _check("fuzz.zip", _zipped(sets.folder_files() | {"energies.csv": content}), said)


@thorough(30)
@given(st.sampled_from(("mp-1.cif", "nested/mp-4.CIF")).flatmap(
    lambda name: st.tuples(st.just(name), damages(sets.folder_files()[name].encode()))
))  # fmt: skip
def test_damaged_cif(damaged):
    _check("fuzz.zip", _zipped(sets.folder_files() | {damaged[0]: damaged[1]}), TRUTH)


@thorough(25)
@given(damages(sets.folder_files()["mp-5.vasp"].encode()))
def test_damaged_poscar(content):
    lines = content.decode(errors="replace").splitlines()
    try:
        symbols, counts = ([word.split("_")[0] for word in lines[5].split()], [int(word) for word in lines[6].split()])
        formula = Composition(dict.fromkeys(symbols, 0) | _summed(symbols, counts)).reduced_formula
    except (IndexError, ValueError):
        formula = "none"
    said = [*TRUTH, ("mp-5", formula, sets.TOTALS["mp-5"])]
    _check("fuzz.zip", _zipped(sets.folder_files() | {"mp-5.vasp": content}), said[:4] + said[5:])


@pytest.mark.parametrize(("name", "file"), [("mp-4", "nested/mp-4.CIF"), ("mp-1", "mp-1.cif"), ("mp-5", "mp-5.vasp")])
def test_every_line_of_a_structure_file_lost_doubled_or_the_last(name, file):
    lines = sets.folder_files()[file].splitlines(keepends=True)
    refused = 0
    for place in range(len(lines)):
        for changed in (lines[:place], lines[:place] + lines[place + 1 :], lines[: place + 1] + lines[place:]):
            try:
                crystal = parse_structure(parse_structure_file(file, "".join(changed).encode()))
            except UnreadableStructureError:
                refused += 1
                continue
            assert len(crystal) == len(sets.CRYSTALS[name])
            assert _formula(crystal.atomic_numbers) == sets.FORMULAS[name]
    assert refused > len(lines)


def _summed(symbols: list[str], counts: list[int]) -> Counter:
    total: Counter = Counter()
    for symbol, count in zip(symbols, counts, strict=True):
        total[symbol] += count
    return total


with tempfile.TemporaryDirectory() as _folder:
    XYZ = sets.write_xyz(Path(_folder) / "set.xyz").read_bytes()


def _said_by_frames(text: str) -> Iterable[Said]:
    lines = text.split("\n")
    for place, comment in enumerate(lines):
        energy = re.search(r"(?:^|\s)energy=(\S+)", comment)
        count = re.fullmatch(r"\s*(\d+)\s*", lines[place - 1]) if place else None
        if count and energy and _float(energy[1]) is not None:
            name = re.search(r"(?:^|\s)material_id=(\S+)", comment)
            symbols = [
                line.split()[0].capitalize() for line in lines[place + 1 : place + 1 + int(count[1])] if line.split()
            ]
            known = all(symbol in ATOMIC_NUMBERS for symbol in symbols) and symbols
            formula = Composition(Counter(symbols)).reduced_formula if known else "none"
            value = float(energy[1]) / len(symbols) if symbols else None
            position = len(re.findall(r"^\s*\d+\s*$", "\n".join(lines[:place]), re.MULTILINE))
            yield name[1] if name else f"fuzz-{position}", formula, value


@thorough(60)
@given(damages(XYZ))
def test_damaged_xyz(content):
    _check("fuzz.xyz", content, _said_by_frames(content.decode(errors="replace")))


@pytest.mark.parametrize(
    ("name", "content", "said", "formation"),
    [
        ("fuzz.jsonl", _lines(sets.rows()), _said_by_rows(sets.rows()), False),
        ("fuzz.jsonl", _lines(TABLE), _said_by_rows(TABLE, "formation_energy_per_atom"), True),
        ("fuzz.parquet", PARQUET.getvalue(), TRUTH, False),
        ("fuzz.json", json.dumps(sets.entries()).encode(), TRUTH, False),
        ("fuzz.zip", _zipped(sets.folder_files()), TRUTH, False),
        ("fuzz.xyz", XYZ, list(_said_by_frames(XYZ.decode())), False),
    ],
)
def test_unmutated_files_get_through_and_lies_are_found(name, content, said, formation):
    assert _check(name, content, said, formation) == 5
    who, formula, energy = said[3]
    for lie in ((who, formula, energy + 1e-3), (who, "NaCl2", energy), ("mp-x", formula, energy)):
        with pytest.raises(AssertionError):
            _check(name, content, [*said[:3], lie, *said[4:]], formation)

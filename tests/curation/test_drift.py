"""What changed between two snapshots: found, counted by system, told and drawn; kinds of energies are not mixed."""

import numpy as np
import polars as pl
import pytest

from lodestone.cli.main import main
from lodestone.curation.drift import compare
from lodestone.errors import LodestoneError
from lodestone.report.drift_page import energy_changes, render
from lodestone.report.drift_text import WARNING
from lodestone.schemas import Drift, Snapshot, SystemDrift
from lodestone.tables.files import read_table, validated, write_table

TURN = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])


def crystal(material_id: str, metal: int = 11, **changes: object) -> dict:
    """Rock salt with one of its metals (Na by default), as a row of a snapshot."""
    symbol = {11: "Na", 19: "K", 37: "Rb"}[metal]
    return {
        "material_id": material_id, "formula_pretty": f"{symbol}Cl", "chemsys": "-".join(sorted(("Cl", symbol))),
        "nsites": 2, "spacegroup_number": 225, "prototype": "AB", "decorated_prototype": "AB",
        "lattice": [0.0, 2.8, 2.8, 2.8, 0, 2.8, 2.8, 2.8, 0], "atomic_numbers": [metal, 17],
        "frac_coords": [0.0, 0, 0, 0.5, 0.5, 0.5], "energy_per_atom": None, "formation_energy_per_atom": -2.0,
        "energy_above_hull": 0.0, "uncorrected_energy_per_atom": None, "energy_correction_per_atom": None,
        "created_at": None, "label_method": "dft-pbe", "correction_scheme": "MP2020",
    } | changes  # fmt: skip


def snapshot(*rows: dict) -> pl.DataFrame:
    columns = Snapshot.to_schema().columns
    return pl.DataFrame(rows, schema={name: column.dtype.type for name, column in columns.items()}).sort("material_id")


def drift(old: list[dict], new: list[dict], **settings):
    found = compare(snapshot(*old), snapshot(*new), **settings)
    assert validated(found.crystals, Drift, "drift").equals(found.crystals)
    assert validated(found.systems, SystemDrift, "drift").equals(found.systems)
    return found


def test_equal_snapshots_have_no_drift():
    found = drift([crystal("a"), crystal("b", 19)], [crystal("b", 19), crystal("a")])
    assert found.crystals.is_empty()
    assert found.systems.is_empty()
    assert (found.n_old, found.n_new, found.n_stability) == (2, 2, 2)


def test_added_and_removed_crystals_are_no_changes_of_energy():
    found = drift([crystal("a"), crystal("gone")], [crystal("a"), crystal("fresh", 19)])
    told = found.crystals.select("material_id", "presence", "chemsys", "structure", "energy_change", "energy_changed")
    assert told.sort("material_id").rows() == [
        ("fresh", "added", "Cl-K", None, None, False),
        ("gone", "removed", "Cl-Na", None, None, False),
    ]
    assert found.systems.select("chemsys", "n_added", "n_removed").rows() == [("Cl-K", 1, 0), ("Cl-Na", 0, 1)]


def test_energies_change_beyond_the_tolerance_largest_first():
    energies = {"a": -2.0009, "b": -1.9, "c": -2.5, "d": None, "e": float("nan"), "f": -1.998}
    found = drift(
        [crystal(name) for name in energies],
        [crystal(name, formation_energy_per_atom=energy) for name, energy in energies.items()],
    )
    told = found.crystals.select("material_id", "energy_change", "energy_changed")
    assert told["material_id"].to_list() == ["c", "b", "f", "d", "e"]
    assert told["energy_change"].head(3).to_list() == pytest.approx([-0.5, 0.1, 0.002])
    assert told["energy_changed"].all()
    assert told["energy_change"].tail(2).to_list() == [None, None]
    wide = drift([crystal("a")], [crystal("a", formation_energy_per_atom=-2.4)], tolerance=0.5)
    assert wide.crystals.is_empty()


def test_total_energies_where_one_snapshot_has_no_formation_energies():
    old = crystal("a", energy_per_atom=-3.0)
    found = drift([old], [crystal("a", energy_per_atom=-3.25, formation_energy_per_atom=None)])
    assert found.energy == "energy_per_atom"
    assert found.crystals["energy_change"].to_list() == [-0.25]


@pytest.mark.parametrize(
    ("before", "after", "flip"),
    [
        (0.0, 0.1, "became unstable"),
        (0.1, 0.0, "became stable"),
        (0.1, -0.01, "became stable"),
        (0.1, 0.2, None),
        (0.0, 5e-7, None),
        (0.0, None, None),
        (None, 0.1, None),
    ],
)
def test_flips_of_stability(before, after, flip):
    found = drift([crystal("a", energy_above_hull=before)], [crystal("a", energy_above_hull=after)])
    assert found.crystals["flip"].to_list() == ([flip] if flip else [])


def turned() -> list[float]:
    return (np.reshape(crystal("a")["lattice"], (3, 3)) @ TURN).ravel().tolist()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lattice": [x * 1.01 for x in crystal("a")["lattice"]]}, "cell"),
        ({"lattice": [x * 1.0001 for x in crystal("a")["lattice"]]}, None),
        ({"lattice": turned()}, None),
        ({"frac_coords": [0.0, 0, 0, 0.5, 0.5, 0.51]}, "cell"),
        ({"frac_coords": [1.0, -1, 0, 0.5, 1.5, 0.5]}, None),
        ({"atomic_numbers": [17, 11]}, "cell"),
        ({"decorated_prototype": "other"}, "prototype"),
        ({"formula_pretty": "KCl", "chemsys": "Cl-K", "atomic_numbers": [19, 17]}, "composition"),
        (
            {"nsites": 4, "atomic_numbers": [11, 11, 17, 17], "frac_coords": [0.0] * 12, "decorated_prototype": "x"},
            "prototype",
        ),
    ],
)  # fmt: skip
def test_changes_of_structure(changes, told):
    """The crystals beside it must not be taken for it, whatever their sizes."""
    beside = [crystal("A", nsites=3, atomic_numbers=[11, 11, 17], frac_coords=[0.1] * 9), crystal("b", 19)]
    found = drift([*beside, crystal("a")], [*beside, crystal("a", **changes)])
    assert found.crystals.select("material_id", "structure").rows() == ([("a", told)] if told else [])


def test_systems_with_most_flips_come_first():
    def rows(hull: float) -> list[dict]:
        cases = [(metal, i, hull if i < n else 0.0) for metal, n in FLIPS for i in range(3)]
        return [crystal(f"{metal}-{i}", metal, energy_above_hull=distance) for metal, i, distance in cases]

    found = drift(rows(0.0), rows(0.1))
    assert found.systems.select("chemsys", "n_became_unstable").rows() == [("Cl-K", 3), ("Cl-Rb", 2), ("Cl-Na", 1)]


FLIPS = ((11, 1), (19, 3), (37, 2))


@pytest.mark.parametrize("change", [{"label_method": "dft-r2scan"}, {"correction_scheme": "MP-2019"}])
def test_energies_of_different_kinds_are_refused_unless_asked_for(change):
    old, new = [crystal("a")], [crystal("a", formation_energy_per_atom=-1.5, **change)]
    (other,) = change.values()
    with pytest.raises(LodestoneError, match=f"energies of different kinds: .*{other}") as refused:
        drift(old, new)
    assert "--across-labels" in refused.value.remedy
    assert drift(old, new, across_labels=True).mixed


def lodestone(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["drift", *arguments])
    return ended.value.code


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = [crystal("a"), crystal("b", 19), crystal("gone")]
    new = [crystal("a", formation_energy_per_atom=-1.9, energy_above_hull=0.1), crystal("b", 19)]
    for name, rows in {"old": old, "new": new, "other": [r | {"label_method": "<b>x"} for r in new]}.items():
        write_table(snapshot(*rows), tmp_path / f"{name}.parquet", Snapshot)
    return tmp_path


def test_the_command_tells_and_writes(files, capsys):
    assert lodestone("old.parquet", "new.parquet", "--html", "out/page.html", "--table", "out/drift.parquet") == 0
    told = " ".join(capsys.readouterr().out.split())
    for part in (
        "old old.parquet: 3 crystals, dft-pbe (corrections: MP2020)", "added 0", "removed 1", "kept 2",
        "energy changed 1 beyond 1 meV/atom", "became unstable 1 of 2", "a NaCl -2.000 -1.900 0.100", "Cl-Na 0 1",
    ):  # fmt: skip
        assert part in told
    assert "WARNING" not in told
    assert read_table(files / "out" / "drift.parquet", Drift)["material_id"].to_list() == ["a", "gone"]
    page = (files / "out" / "page.html").read_text()
    assert "NaCl" not in page.split("</script>")[0]
    assert "became unstable" in page
    assert "src=" not in page.split("<main>")[1]  # nothing is fetched
    lodestone("old.parquet", "new.parquet", "--html", "out/again.html")
    assert (files / "out" / "again.html").read_text() == page


def test_the_command_refuses_other_kinds_and_then_warns_aloud(files, capsys):
    assert lodestone("old.parquet", "other.parquet") == 1
    assert "energies of different kinds" in capsys.readouterr().err
    assert lodestone("old.parquet", "other.parquet", "--across-labels", "--html", "page.html") == 0
    assert f"WARNING: {WARNING}" in capsys.readouterr().out
    page = (files / "page.html").read_text()
    assert WARNING in page
    assert "&lt;b&gt;x" in page  # what a source says is text, not markup


def test_the_command_names_a_file_that_is_no_snapshot(files, capsys):
    pl.DataFrame({"x": [1]}).write_parquet(files / "x.parquet")
    assert lodestone("old.parquet", "x.parquet") == 1
    assert "x.parquet breaks the contract Snapshot" in capsys.readouterr().err
    assert lodestone("old.parquet", "missing.parquet") == 1
    assert "missing.parquet does not exist" in capsys.readouterr().err


def test_the_page_says_that_nothing_changed():
    page = render(drift([crystal("a")], [crystal("a")]), "old", "new")
    for told in ("No energy changed", "No crystal changed sides", "Nothing changed"):
        assert told in page


def test_the_histogram_holds_every_change_though_one_is_enormous():
    energies = [-2.0 + 0.002 * (i + 1) for i in range(200)] + [50.0]
    old = [crystal(f"c-{i}") for i in range(201)]
    found = drift(old, [row | {"formation_energy_per_atom": e} for row, e in zip(old, energies, strict=True)])
    (bars,) = energy_changes(found).data
    assert sum(bars.y) == 201
    assert max(bars.x) < 500

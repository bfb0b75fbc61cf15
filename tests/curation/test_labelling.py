"""A snapshot on the oracle's scale: one set of references, one hull, nothing computed that is known."""

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import describe
from lodestone.curation.labelling import compare_with_source, label_snapshot
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label
from lodestone.schemas import Labelled, References, Rejections, Snapshot

ORACLE = "oracle-1"
REFUSED = Label("exploded", None, None, 4, 0.1)


def crystal(*symbols: str, edge: float = 4.0) -> Crystal:
    n = len(symbols)
    return Crystal(np.eye(3) * edge, [ATOMIC_NUMBERS[s] for s in symbols], [[i / n] * 3 for i in range(n)])


def snapshot(label_method: str, *, names: str = "na cl salt") -> pl.DataFrame:
    """Sodium, chlorine and rock salt (or some of them) as a source gives them: all at -10 eV/atom."""
    rows = {"na": crystal("Na"), "cl": crystal("Cl"), "salt": crystal("Na", "Cl")}
    chosen = {name: rows[name] for name in names.split()}
    energies = [name for name in Snapshot.to_schema().columns if "energy" in name]
    table = describe(list(chosen.values())).with_columns(
        pl.Series("material_id", list(chosen), dtype=pl.String),
        pl.lit(None, dtype=pl.String).alias("created_at"),
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in energies),
    )
    return Snapshot.validate(
        table.with_columns(
            energy_per_atom=pl.lit(-10.0),
            formation_energy_per_atom=pl.when(pl.col("chemsys") == "Cl-Na").then(-2.0).otherwise(0.0),
            label_method=pl.lit(label_method),
            correction_scheme=pl.lit("some"),
        )
    )


class Labeller:
    """Labels by formula, refuses formulas it has no energy for, and remembers what it was asked."""

    def __init__(self, **energies: float) -> None:
        self.energies = energies
        self.asked: list[str] = []

    def __call__(self, crystals):
        return [self._label("".join(found.species), found) for found in crystals]

    def _label(self, formula: str, found: Crystal) -> Label:
        self.asked.append(formula)
        if formula not in self.energies:
            return REFUSED
        return Label("ok", self.energies[formula], found.scaled_to(2 * found.volume), 3, 0.1)


def element_crystals(symbols):
    """The usual crystals of an element: simple cubic, as in the snapshot, and face-centered."""
    simple = {f"simple-{symbol}": crystal(symbol, edge=3.0) for symbol in symbols}
    return simple | {f"reference-{symbol}": face_centered(symbol) for symbol in symbols}


def face_centered(symbol: str) -> Crystal:
    return Crystal(2.0 * (1 - np.eye(3)), [ATOMIC_NUMBERS[symbol]], [[0, 0, 0]])


def by_id(table: pl.DataFrame) -> dict[str, dict]:
    return {row["material_id"]: row for row in table.iter_rows(named=True)}


def test_a_snapshot_of_the_same_oracle_is_not_computed_again():
    labeller = Labeller()
    given = snapshot(ORACLE).with_columns(pl.Series("energy_per_atom", [-1.0, -2.0, -3.5]))
    done = label_snapshot(given, ORACLE, labeller, element_crystals)
    assert labeller.asked == ["Cl", "Na"]  # face-centered, which it lacks; it refuses both
    found = by_id(Labelled.validate(done.crystals))
    assert {name: row["energy_per_atom"] for name, row in found.items()} == {"na": -1.0, "cl": -2.0, "salt": -3.5}
    assert found["salt"]["formation_energy_per_atom"] == pytest.approx(-2.0)
    assert {row["origin"] for row in found.values()} == {"snapshot"}
    assert done.metrics["n_in"] == done.metrics["n_labelled"] == done.metrics["n_stable"] == 3
    assert done.metrics["oracle_vs_source"] is None  # the source is the oracle
    assert len(Rejections.validate(done.rejections)) == 0


def test_elements_that_such_a_snapshot_lacks_are_added():
    labeller = Labeller(Cl=-2.0)
    done = label_snapshot(snapshot(ORACLE, names="na salt"), ORACLE, labeller, element_crystals)
    assert labeller.asked == ["Cl", "Cl", "Na"]  # sodium face-centered only; it refuses that
    found = by_id(Labelled.validate(done.crystals))
    assert found["reference-Cl"]["origin"] == "reference"
    assert found["reference-Cl"]["formation_energy_per_atom"] == 0
    assert found["salt"]["formation_energy_per_atom"] == pytest.approx(-10 - (-10 - 2) / 2)
    assert done.metrics["n_element_crystals_added"] == 2


@pytest.mark.parametrize("lower", [True, False])
def test_a_high_allotrope_does_not_stay_the_reference_of_a_snapshot_of_the_same_oracle(lower):
    given = snapshot(ORACLE).with_columns(pl.Series("energy_per_atom", [-1.0, -2.0, -3.5]))
    labeller = Labeller(Na=-1.5 if lower else -1.0005, Cl=-1.9)
    done = label_snapshot(given, ORACLE, labeller, element_crystals)
    assert dict(done.references.select("element", "material_id").iter_rows()) == {
        "Na": "reference-Na" if lower else "na",  # less than 1 meV/atom is no other crystal
        "Cl": "cl",
    }
    found = by_id(done.crystals)
    assert found.keys() == {"na", "cl", "salt"} | ({"reference-Na"} if lower else set())
    assert found["salt"]["formation_energy_per_atom"] == pytest.approx(-3.5 + (1.5 + 2.0 if lower else 1.0 + 2.0) / 2)


def test_other_snapshots_are_labelled_and_offered_elements():
    """The source's own energies are for comparison only."""
    labeller = Labeller(Na=-1.5, Cl=-2.0, NaCl=-3.5)
    done = label_snapshot(snapshot("dft-pbe"), ORACLE, labeller, element_crystals)
    assert sorted(labeller.asked) == ["Cl", "Cl", "Na", "Na", "NaCl"]
    found = by_id(Labelled.validate(done.crystals))
    assert found.keys() == {"na", "cl", "salt"}  # no crystal offered is lower
    salt = found["salt"]
    assert salt["energy_per_atom"] == -3.5
    assert salt["formation_energy_per_atom"] == pytest.approx(-3.5 + 1.75)
    assert salt["source_formation_energy_per_atom"] == -2.0
    assert salt["lattice"][0] == pytest.approx(4.0 * 2 ** (1 / 3))  # the relaxed crystal, not the source's
    assert References.validate(done.references)["element"].to_list() == ["Cl", "Na"]
    assert done.references["energy_per_atom"].to_list() == [-2.0, -1.5]
    compared = done.metrics["oracle_vs_source"]
    assert compared["n"] == 3
    assert compared["mae"] == compared["bias"] == pytest.approx(0.25 / 3)


def test_energies_of_two_methods_are_never_mixed():
    mixed = snapshot(ORACLE).with_columns(pl.Series("label_method", [ORACLE, ORACLE, "dft-pbe"]))
    labeller = Labeller(Na=-1.0, Cl=-2.0, NaCl=-3.5)
    done = label_snapshot(mixed, ORACLE, labeller, element_crystals)
    assert labeller.asked.count("NaCl") == 1
    assert -10.0 not in done.crystals["energy_per_atom"]


def test_the_lowest_crystal_of_an_element_is_its_reference_wherever_it_is_from():
    """Here the crystal offered (face-centered) is lower for sodium, the snapshot's (4 Å) for chlorine."""
    energies = {("Na", 0): -1.2, ("Na", 4): -1.0, ("Cl", 0): -2.0, ("Cl", 4): -2.3, ("NaCl", 4): -3.5}

    def label(crystals):
        found = [energies["".join(c.species), round(float(c.lattice[0, 0]))] for c in crystals]
        return [Label("ok", energy, c, 1, 0.1) for energy, c in zip(found, crystals, strict=True)]

    done = label_snapshot(snapshot("dft-pbe"), ORACLE, label, element_crystals)
    assert done.references.rows() == [("Cl", -2.3, "cl"), ("Na", -1.2, "reference-Na")]
    found = by_id(done.crystals)
    assert found["na"]["energy_above_hull"] == pytest.approx(0.2)
    assert found.keys() == {"na", "cl", "salt", "reference-Na"}
    assert done.metrics["n_stable"] == 3


def test_refused_rows_are_kept_apart_with_their_reason():
    done = label_snapshot(snapshot("dft-pbe"), ORACLE, Labeller(Na=-1.0, Cl=-2.0), element_crystals)
    assert "salt" not in by_id(done.crystals)
    assert Rejections.validate(done.rejections).rows() == [("salt", "NaCl", "exploded")]
    assert done.metrics["rejected"] == {"exploded": 1}
    assert done.metrics["n_in"] == 3
    assert done.metrics["n_labelled"] == 2


def test_an_oracle_that_refuses_everything():
    with pytest.raises(
        LodestoneError, match=r"refused all 3 crystals of the snapshot: 3 exploded \(the first, 'na': exp"
    ) as refused:
        label_snapshot(snapshot("dft-pbe"), ORACLE, Labeller(), element_crystals)
    assert "parameters of the oracle" in refused.value.remedy


@pytest.mark.parametrize("method", [ORACLE, "dft-pbe"])
def test_an_element_that_the_oracle_refuses_is_named(method):
    labeller = Labeller(Na=-1.0, NaCl=-3.5)
    with pytest.raises(LodestoneError, match="no elemental reference energy for Cl"):
        label_snapshot(snapshot(method, names="na salt"), ORACLE, labeller, element_crystals)


def test_comparison_leaves_out_what_the_source_did_not_give():
    table = pl.DataFrame(
        {
            "formation_energy_per_atom": [-1.0, -2.0, -3.0, 5.0],
            "source_formation_energy_per_atom": [-1.1, -1.6, None, 0.0],
            "origin": ["snapshot", "snapshot", "snapshot", "reference"],
        }
    )
    assert compare_with_source(table) == pytest.approx({"n": 2, "mae": 0.25, "bias": -0.15, "median_absolute": 0.25})
    assert compare_with_source(table.with_columns(source_formation_energy_per_atom=pl.lit(None, pl.Float64))) is None

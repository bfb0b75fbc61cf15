"""What an oracle's energies differ by from those of a source: learned, applied, and its error measured."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from test_labelling import Labeller, crystal

from lodestone.config.sections import LabelParams
from lodestone.corrections.schemes import scheme
from lodestone.crystals.encoding import describe
from lodestone.curation.difference import Difference, chemistry_name
from lodestone.curation.learned_difference import drawn, learned
from lodestone.curation.source_scale import keep_labels, read_phases
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label
from lodestone.schemas import Labelled, Phases, Snapshot

METALS = ["Li", "Na", "K", "Mg", "Ca", "Al", "Zn", "Sc"]
ANIONS = ["O", "F", "Cl", "S"]
FORMATION = {"O": -2.0, "F": -3.0, "Cl": -1.5, "S": -1.0}
SHIFTS = {symbol: -1.0 - 0.2 * k for k, symbol in enumerate(METALS + ANIONS)}  # oracle less source, eV an atom
PARAMS = LabelParams(scale="source", difference="learned", difference_crystals=50)


def binaries():
    """All binaries of some metals and anions in two cells, by name."""
    pairs = [(metal, anion) for metal in METALS for anion in ANIONS]
    small = {f"{metal}-{anion}": crystal(metal, anion) for metal, anion in pairs}
    return small | {f"{metal}2-{anion}": crystal(metal, metal, anion, edge=5.0) for metal, anion in pairs}


def formation(found):
    return np.mean([FORMATION.get(symbol, 0.0) for symbol in found.species])


def table(*, totals: bool = False) -> pl.DataFrame:
    """What a source says of them: formation energies alone, or total energies on top of -1 eV an atom."""
    crystals = binaries() | {symbol: crystal(symbol) for symbol in METALS + ANIONS}
    names = [name for name in Snapshot.to_schema().columns if "energy" in name]
    energies = [formation(one) if len(set(one.species)) > 1 else 0.0 for one in crystals.values()]
    rows = describe(list(crystals.values())).with_columns(
        pl.Series("material_id", list(crystals), dtype=pl.String),
        pl.lit(None, dtype=pl.String).alias("created_at"),
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in names),
        label_method=pl.lit("dft-pbe"),
        correction_scheme=pl.lit("MP-2019-legacy"),
    )
    given = rows.with_columns(pl.Series("formation_energy_per_atom", energies))
    return Snapshot.validate(given.with_columns(energy_per_atom=pl.Series(energies) - 1.0) if totals else given)


@dataclass
class Potential:
    """An oracle whose energies are those of the source, shifted for each element, with an error of its own."""

    error: float = 0.0
    name: str = "a-potential"
    correction_scheme: None = None
    included_corrections: str | None = "MP2020"
    asked: list = field(default_factory=list)

    def label(self, crystals):
        self.asked.extend(crystals)
        return [self._one(one, k) for k, one in enumerate(crystals)]

    def _one(self, found, k):
        own = formation(found) if len(set(found.species)) > 1 else 0.0
        noise = self.error * (-1) ** k if len(set(found.species)) > 1 else 0.0
        return Label("ok", own + np.mean([SHIFTS[symbol] for symbol in found.species]) + noise, found)


def no_more(_):
    return {}


def kept(oracle, rows=None, params=PARAMS):
    rows = table() if rows is None else rows
    return keep_labels(rows, oracle, {}, params=params, label=oracle.label, element_crystals=no_more)


@pytest.mark.parametrize("totals", [False, True])
def test_a_learned_difference_brings_the_oracle_to_the_scale_of_the_source(totals):
    potential, rows = Potential(), table(totals=totals)
    done = kept(potential, rows)
    Labelled.validate(done.crystals)
    assert dict(done.references.select("element", "energy_per_atom").iter_rows())["Na"] == -1.0 * totals
    assert done.crystals["formation_energy_per_atom"].to_list() == pytest.approx(
        done.crystals["source_formation_energy_per_atom"].to_list()
    )
    labels = done.difference.applied(potential.label)(list(binaries().values()))
    expected = [formation(one) - 1.0 * totals for one in binaries().values()]
    assert [label.energy_per_atom for label in labels] == pytest.approx(expected, abs=1e-3)
    assert done.difference.errors["all"]["mae"] < 1e-3
    assert done.metrics["difference"]["errors"]["all"]["n"] == 50
    assert len(potential.asked) < len(rows) + len(binaries())


def test_the_error_left_is_measured_on_formulas_left_out_and_by_chemistry():
    difference = kept(Potential(error=0.1), params=PARAMS.model_copy(update={"difference_crystals": 64})).difference
    assert difference.errors["all"]["mae"] == pytest.approx(0.1, abs=0.03)
    assert "O" not in difference.errors  # 16 oxides are too few for an error of their own
    assert difference.std([crystal("Na", "O")]) == pytest.approx([difference.errors["all"]["std"]])
    assert [chemistry_name(one) for one in (crystal("Na", "S", "O"), crystal("Na", "Al"))] == ["O", "alloy"]


def test_rules_alone_know_the_corrections_and_nothing_else():
    params = PARAMS.model_copy(update={"difference": "corrections"})
    difference = kept(Potential(), params=params).difference
    assert difference.schemes == ("MP-2020", "MP-2019")
    assert difference.versions == {name: scheme(name).version for name in difference.schemes}
    (chloride, alloy) = difference.energies([crystal("Na", "Cl"), crystal("Na", "Al")])
    elements = -np.mean([SHIFTS["Na"], SHIFTS["Cl"]])
    assert chloride == pytest.approx(elements + (0.614 - 0.594685683) / 2, abs=1e-5)
    assert alloy == pytest.approx(-np.mean([SHIFTS["Na"], SHIFTS["Al"]]), abs=1e-5)


def test_a_difference_survives_being_written():
    difference = kept(Potential(error=0.1), params=PARAMS.model_copy(update={"difference": "both"})).difference
    assert Difference.from_dict(json.loads(json.dumps(difference.as_dict()))) == difference
    assert Difference.from_dict(json.loads(json.dumps(Difference().as_dict()))) == Difference()


def test_nothing_is_added_without_a_difference():
    label = Labeller(NaCl=-1.0)
    assert Difference().applied(label) is label
    assert Difference().std([crystal("Na", "Cl")]).tolist() == [0.0]


def test_what_the_oracle_refuses_stays_refused():
    difference = kept(Potential()).difference
    good, refused = difference.applied(Labeller(NaCl=-1.0))([crystal("Na", "Cl"), crystal("Na", "Na", "Cl")])
    assert good.energy_per_atom == pytest.approx(-1.0 - np.mean([SHIFTS["Na"], SHIFTS["Cl"]]), abs=1e-3)
    assert not refused.ok


def test_an_element_of_which_nothing_was_learned_is_named():
    with pytest.raises(LodestoneError, match="no difference between oracle and source is known for Xe"):
        kept(Potential()).difference.energies([crystal("Na", "Xe")])


def test_too_few_labels_are_refused():
    with pytest.raises(LodestoneError, match=r"the oracle labelled 0 of 1 crystals.*\n.*difference_crystals"):
        learned("learned", [("NaCl", -1.0, Label("not_converged"))], {"Na": 0.0, "Cl": 0.0}, None)


@pytest.mark.parametrize(
    ("scheme_of_rows", "included", "message"),
    [("OQMD", "MP2020", "correction scheme 'OQMD' is none whose rules"), ("MP2020", None, "a-potential are not known")],
)
def test_corrections_need_schemes_with_rules(scheme_of_rows, included, message):
    rows = table().with_columns(correction_scheme=pl.lit(scheme_of_rows))
    params = PARAMS.model_copy(update={"difference": "both"})
    with pytest.raises(LodestoneError, match=message):
        kept(Potential(included_corrections=included), rows, params)
    assert kept(Potential(included_corrections=included), rows).difference.kind == "learned"  # which needs none


def test_every_element_is_drawn_a_few_times():
    rows = table()
    some = drawn(rows, 10, least=2)
    assert all((some["chemsys"].str.contains(rf"\b{symbol}\b")).sum() >= 2 for symbol in METALS + ANIONS)
    assert (
        some["material_id"].to_list()
        == drawn(rows.sample(fraction=1, shuffle=True, seed=1), 10, least=2)["material_id"].to_list()
    )
    assert len(drawn(rows, 60)) == 60


def test_competing_phases_without_structures_are_on_the_hull(tmp_path):
    path = tmp_path / "phases.parquet"
    phases = {
        "formula": ["NaCl", "NaCl", "Na3Cl", "LiF", "XeF2"],
        "formation_energy_per_atom": [-2.5, -2.0, -1.0, -3.0, -1.0],
        "material_id": [None, None, "mp-1", "Li-F", None],
    }
    pl.DataFrame(phases).write_parquet(path)
    done = kept(Potential(), params=PARAMS.model_copy(update={"phases": path}))
    Phases.validate(done.phases)
    assert done.phases["formula_pretty"].to_list() == ["Na3Cl", "NaCl"]  # no other elements, no crystal of the snapshot
    assert done.phases["formation_energy_per_atom"].to_list() == [-1.0, -2.5]
    above = dict(done.crystals.select("material_id", "energy_above_hull").iter_rows())
    assert above["Na-Cl"] == pytest.approx(-0.75 + 2.5)
    assert above["Li-F"] == 0.0
    pl.DataFrame({"formula": ["NaCl"]}).write_parquet(path)
    with pytest.raises(LodestoneError, match="has no column formation_energy_per_atom"):
        read_phases(path, table())


@pytest.mark.parametrize("wrong", [{"difference": "both"}, {"phases": "a.parquet"}])
def test_the_scale_of_the_oracle_reads_neither(wrong):
    with pytest.raises(ValidationError, match="scale: oracle does not read it"):
        LabelParams(scale="oracle", **wrong)


def test_mixing_without_a_difference_is_refused():
    with pytest.raises(LodestoneError, match=r"without corrections between the two.*\n.*label.difference"):
        keep_labels(table(totals=True), SimpleNamespace(name="a-potential", correction_scheme=None), {})

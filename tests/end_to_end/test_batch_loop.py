"""A campaign on real DFT entries of one system: a part is hidden, asked for round by round, and brought back."""

import gzip
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition, Structure
from pymatgen.core.entries import ComputedStructureEntry
from tiny_campaign import ROOT, Campaign, Outcome, make_campaign
from vasprun_xml import vasprun_xml

from lodestone.crystals.crystal import Crystal
from lodestone.schemas import Candidates, Labelled, References, Verifications
from lodestone.tables.files import read_json, read_table
from lodestone.tables.layout import Layout

pytestmark = pytest.mark.end_to_end

SYSTEM = "Cl-Mn-Na-O-Y"
WAITS = 75
MOST_SITES, HIDDEN = 14, 0.3
BUDGET, RANDOM = 4, 3
EACH = BUDGET + RANDOM
LODESTONE = ("python", "-m", "lodestone")


@dataclass(frozen=True)
class Lab:
    """A campaign, and the cluster that knows the answers."""

    campaign: Campaign
    visible: dict[str, ComputedStructureEntry]
    hidden: dict[str, ComputedStructureEntry]

    @property
    def layout(self) -> Layout:
        return Layout(self.campaign.folder / "data")

    def call(self, *arguments: str) -> Outcome:
        return self.campaign.run(*LODESTONE, *arguments)

    def chosen(self, name: str) -> dict[str, ComputedStructureEntry]:
        """The answer for each candidate that a round has chosen."""
        table = read_table(self.layout.round(name).candidates, Candidates).filter(pl.col("acquired_by") != "none")
        rows = table.select("material_id", "provenance").iter_rows()
        return {material_id: self.hidden[json.loads(provenance)["entry"]] for material_id, provenance in rows}


@pytest.fixture(scope="module")
def lab(shared_data, tmp_path_factory) -> Lab:
    with gzip.open(shared_data / f"mp_entries_{SYSTEM}.json.gz") as stream:
        everything = [entry for entry in json.load(stream) if len(entry["structure"]["sites"]) <= MOST_SITES]
    rng = np.random.default_rng(0)
    may_hide = [len(entry["composition"]) > 1 for entry in everything]
    hide = (rng.random(len(everything)) < HIDDEN) & may_hide
    campaign = make_campaign(tmp_path_factory.mktemp("batch") / "campaign", rounds=2)
    parts = {"visible": ~hide, "hidden": hide}
    for name, chosen in parts.items():
        entries = [entry for entry, is_part in zip(everything, chosen, strict=True) if is_part]
        (campaign.folder / f"{name}.json").write_text(json.dumps(entries))
    generators = campaign.folder / "pipeline" / "lodestone" / "discovery" / "generators"
    shutil.copy(ROOT / "tests" / "end_to_end" / "hidden_generator.py", generators)
    campaign.edit(_batch)
    return Lab(campaign, *(_entries(campaign.folder / f"{name}.json") for name in parts))


def _entries(path: Path) -> dict[str, ComputedStructureEntry]:
    return {str(entry["entry_id"]): ComputedStructureEntry.from_dict(entry) for entry in json.loads(path.read_text())}


def _batch(params) -> None:
    kind = {"label_method": "dft-pbe", "correction_scheme": "MP2020"}
    params["snapshot"] = {"source": "file", "path": "visible.json", **kind}
    params["validate"]["on_bad_rows"] = "quarantine"  # an element in a cell that is nearly empty
    params["label"] = {"scale": "source"}
    params["oracle"] = {"name": "external", **kind}
    params["discovery"] |= {
        "generators": [{"name": "hidden", "file": "hidden.json"}],
        "charge_balance": "off",
        "max_sites": MOST_SITES,
        "max_elements": 5,
        "max_per_chemsys": 10,
    }
    for settings in params["rounds"].values():
        settings |= {"budget": BUDGET, "random_baseline": RANDOM}


def _run_of(entry: ComputedStructureEntry) -> str:
    """What VASP would have written of a calculation."""
    symbols = [symbol.split()[1] for symbol in entry.parameters["potcar_symbols"]]
    return vasprun_xml(
        Crystal.from_pymatgen(entry.structure.get_sorted_structure()),
        entry.uncorrected_energy * len(entry.structure) / entry.composition.num_atoms,
        hubbards=entry.parameters["hubbards"],
        potentials={symbol.split("_")[0]: symbol for symbol in symbols},
    )


def _phase_diagram(entries) -> PhaseDiagram:
    return PhaseDiagram([PDEntry(entry.composition, entry.energy, name=entry.entry_id) for entry in entries])


@pytest.fixture(scope="module")
def first(lab) -> dict[str, Outcome]:
    """The first round, from the first wait to the next round's."""
    folder = lab.campaign.folder
    outcomes = {
        "begin": lab.campaign.discover(),
        "write": lab.call("candidates", "--round", "round_0", "--out", "jobs"),
    }
    answers = lab.chosen("round_0")
    done, running, failed, others = *list(answers)[:2], list(answers)[2], list(answers)[3:]
    (folder / "jobs" / done / "vasprun.xml").write_text(_run_of(answers[done]))
    (folder / "jobs" / running / "vasprun.xml").write_text(_run_of(answers[running])[:-400])
    outcomes["runs"] = lab.call("labels", "import", "jobs")
    outcomes["again"] = lab.campaign.discover()
    rest = [{**answers[name].as_dict(), "entry_id": name} for name in others]
    (folder / "rest.json").write_text(json.dumps(rest))
    (folder / "failed.csv").write_text(f"material_id,energy_per_atom,status\n{failed},,not_converged\n")
    outcomes["rest"] = lab.call("labels", "import", "rest.json", "failed.csv")
    outcomes["close"] = lab.call("labels", "close", "--round", "round_0")
    outcomes["next"] = lab.campaign.discover()
    return outcomes


def test_a_round_that_waits_says_so_and_has_a_code_of_its_own(first):
    begin = first["begin"]
    assert begin.code == WAITS, begin.out + begin.err
    assert f"waiting: round_0, {EACH} candidates: labels of {EACH} crystals are computed elsewhere" in begin.err
    assert "lodestone candidates --round round_0 --out FOLDER" in begin.err
    assert "Traceback" not in begin.out + begin.err
    assert begin.ran[-1] == "active_learning@round_0"


def test_candidates_are_written_to_compute_from(first, lab):
    assert first["write"].code == 0, first["write"].err
    table = pl.read_csv(lab.campaign.folder / "jobs" / "candidates.csv")
    answers = lab.chosen("round_0")
    assert set(table["material_id"]) == set(answers)
    for name, entry in answers.items():
        written = Structure.from_file(lab.campaign.folder / "jobs" / name / "POSCAR")
        assert written.composition.reduced_formula == entry.composition.reduced_formula
        assert written.volume == pytest.approx(1.1 * entry.structure.volume)
        assert (lab.campaign.folder / "jobs" / "cifs" / f"{name}.cif").is_file()


def test_partial_results_are_kept_and_the_round_goes_on_where_it_waits(first):
    assert f"1 labels imported; {EACH - 1} candidates still wait." in first["runs"].out
    assert "is the run still going on?" in first["runs"].err
    again = first["again"]
    assert again.code == WAITS
    assert again.ran == ["active_learning@round_0"]
    assert f"round_0, {EACH} candidates: labels of {EACH - 1} crystals" in again.err
    assert f"{EACH - 2} labels imported; 1 candidates still wait." in first["rest"].out
    assert "1 candidates without a label count as not computed" in first["close"].out
    assert first["next"].code == WAITS
    assert f"waiting: round_1, {EACH} candidates: labels of {EACH} crystals" in first["next"].err


def test_the_networks_learn_the_snapshot_and_the_hull_is_that_of_pymatgen(first, lab):
    labelled = read_table(lab.layout.labelled, Labelled)
    assert len(labelled) + len(read_table(lab.layout.quarantine)) == len(lab.visible) > 100
    diagram = _phase_diagram(lab.visible.values())
    for row in labelled.iter_rows(named=True):
        entry = lab.visible[row["material_id"]]
        assert row["energy_per_atom"] == pytest.approx(entry.energy_per_atom, abs=1e-9)
        assert row["formation_energy_per_atom"] == pytest.approx(diagram.get_form_energy_per_atom(entry), abs=1e-6)
        assert row["energy_above_hull"] == pytest.approx(diagram.get_e_above_hull(entry), abs=1e-6)
    assert set(read_table(lab.layout.references, References)["element"]) == set(SYSTEM.split("-"))
    assert read_json(lab.layout.oracle)["name"] == "dft-pbe"


def test_imported_energies_are_judged_on_that_hull(first, lab):
    verified = read_table(lab.layout.round("round_0").verifications, Verifications)
    answers, diagram = lab.chosen("round_0"), _phase_diagram(lab.visible.values())
    assert sorted(verified.filter(pl.col("status") != "ok")["status"]) == ["not_computed", "not_converged"]
    good = verified.filter(pl.col("status") == "ok")
    assert len(good) == EACH - 2
    for row in good.iter_rows(named=True):
        entry = answers[row["material_id"]]
        assert row["energy_per_atom"] == pytest.approx(entry.energy_per_atom, abs=1e-6)
        _, distance = diagram.get_decomp_and_e_above_hull(entry, allow_negative=True)
        assert row["energy_above_hull"] == pytest.approx(distance, abs=1e-6)


def test_the_campaign_ends_when_the_last_round_has_its_labels(first, lab):
    answers = lab.chosen("round_1")
    rows = [{**entry.as_dict(), "entry_id": name} for name, entry in answers.items()]
    (lab.campaign.folder / "second.json").write_text(json.dumps(rows))
    assert f"{EACH} labels imported; 0 candidates still wait." in lab.call("labels", "import", "second.json").out
    end = lab.campaign.discover()
    assert end.code == 0, end.out + end.err
    assert end.ran[0] == "active_learning@round_1"
    page = (lab.campaign.folder / "reports" / "campaign.html").read_text()
    assert "imported, as those of the snapshot are" in page
    known = read_table(lab.layout.round("round_2").crystals)
    learned = known.filter(pl.col("origin") != "snapshot")
    assert len(learned) > EACH
    phases = [
        PDEntry(Composition(formula), energy * Composition(formula).num_atoms)
        for formula, energy in known.select("formula_pretty", "energy_per_atom").iter_rows()
    ]
    diagram = PhaseDiagram(phases)
    distances = [diagram.get_e_above_hull(phase) for phase in phases]
    assert known["energy_above_hull"].to_numpy() == pytest.approx(distances, abs=1e-6)

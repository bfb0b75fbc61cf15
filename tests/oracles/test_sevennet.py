"""SevenNet as an oracle: the package's own energies, the corrections of MP2020 for PBE alone, and what is refused."""

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import yaml
from elementary import ELEMENTS, MAGNESIA, SALT, molecules, shaken
from fake_calculators import no_derivatives
from polars import DataFrame

from lodestone.config.load import parse_params
from lodestone.config.registry import ORACLES
from lodestone.corrections.schemes import scheme
from lodestone.crystals.crystal import Crystal
from lodestone.curation.source_scale import _schemes, refuse_other_kind
from lodestone.errors import LodestoneError
from lodestone.oracles import sevennet as module
from lodestone.oracles.attempt import label_one
from lodestone.oracles.registry import make_oracle
from lodestone.oracles.store import label_key

sevenn = pytest.importorskip("sevenn")
ROOT = Path(__file__).parents[2]
SETTINGS = {"fmax": 0.05, "max_steps": 100, "max_volume_change": 2.0, "min_distance_ratio": 0.5}
WEIGHTS = [
    {},
    {"model": "SevenNet-0"},
    {"model": "SevenNet-MF-0", "modality": "PBE"},
    {"model": "SevenNet-MF-0", "modality": "R2SCAN"},
]
NAMES = ["sevennet-l3i5-pbe", "sevennet-0-pbe", "sevennet-mf-0-pbe", "sevennet-mf-0-r2scan"]
ALL = pytest.mark.parametrize("weights", WEIGHTS, ids=NAMES)


def oracle_of(**settings):
    return ORACLES.make("sevennet", ORACLES.settings("sevennet", {"name": "sevennet", **SETTINGS, **settings}))


def test_names_and_keys_tell_weights_and_functionals_apart():
    oracles = [oracle_of(**weights) for weights in WEIGHTS]
    assert [oracle.name for oracle in oracles] == NAMES
    assert len({label_key(one, SALT) for oracle in oracles for one in (oracle, oracle.static())}) == 8
    assert [oracle.correction_scheme for oracle in oracles] == ["MP2020"] * 3 + ["none"]
    assert [oracle.included_corrections for oracle in oracles] == ["MP2020"] * 3 + [None]
    assert "no corrections" in oracles[3].caveat
    assert "MP2020" in oracles[0].caveat


def test_labels_know_packages_and_the_version_of_the_corrections():
    facts = oracle_of().facts()
    assert facts["versions"]["sevenn"] == metadata.version("sevenn")
    assert facts["settings"]["corrections"] == f"MP2020 ({scheme('MP2020').version})"
    assert facts["settings"]["model"] == "SevenNet-l3i5"
    assert oracle_of(**WEIGHTS[3]).facts()["settings"]["corrections"] == "none"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "SevenNet-omni"}, "'SevenNet-omni' does not come with the package sevenn"),
        ({"model": "/home/me/checkpoint.pth"}, "it is one of SevenNet-l3i5, SevenNet-0, SevenNet-MF-0"),
        ({"model": "SevenNet-MF-0"}, "modality, PBE or R2SCAN, is needed"),
        ({"modality": "R2SCAN"}, "for no other model"),
        ({"model": "SevenNet-MF-0", "modality": "SCAN"}, "modality"),
        (WEIGHTS[3] | {"min_energy_per_atom": -15.0}, "at most -100"),
    ],
)
def test_what_does_not_come_with_the_package_is_refused(settings, words):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    with pytest.raises(LodestoneError, match=words):
        parse_params(content | {"oracle": {"name": "sevennet", **SETTINGS, **settings}})


def test_the_lowest_energy_is_that_of_the_functional():
    assert [oracle_of(**w).settings.min_energy_per_atom for w in WEIGHTS] == [-15.0] * 3 + [-120.0]


def test_a_package_that_is_not_there_is_named_with_the_extra_that_brings_it(monkeypatch):
    def version(name):
        if name == "sevenn":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr("lodestone.oracles.base.version", version)
    link = {"name": "sevennet", **SETTINGS}
    chain = ORACLES.settings("chain", {"name": "chain", "relax": link, "judge": link})
    for oracle in (oracle_of(), make_oracle(chain)):
        with pytest.raises(LodestoneError, match="needs the package sevenn, which is not installed") as refused:
            oracle.identity()
        assert refused.value.remedy == "pip install 'lodestone-materials[potentials]'"


@pytest.mark.parametrize(("name", "broken"), [("cut", "cut short"), ("gone", "its weights are not in")])
def test_weights_that_are_cut_short_or_gone_stop_the_campaign(tmp_path, monkeypatch, name, broken):
    folder = tmp_path / "pretrained_potentials" / "SevenNet_0__11Jul2024"
    folder.mkdir(parents=True)
    whole = Path(sevenn.__file__).parent / "pretrained_potentials" / module._FILES["SevenNet-0"]
    if name == "cut":
        (folder / whole.name).write_bytes(whole.read_bytes()[:100_000])
    monkeypatch.setattr(sevenn, "__file__", str(tmp_path / "__init__.py"))
    module._calculator.cache_clear()
    with pytest.raises(LodestoneError, match=broken) as refused:
        label_one(oracle_of(model="SevenNet-0"), SALT)
    assert "force-reinstall" in refused.value.remedy


def test_elements_that_it_has_not_learned_get_a_reason():
    heavy, ytterbium = (Crystal(4.9 * np.eye(3), [z, 8], [[0, 0, 0], [0.5] * 3]) for z in (84, 70))
    assert dict(oracle_of().label([heavy]))[0].status == "unseen_element: Po"
    assert dict(oracle_of(**WEIGHTS[3]).label([ytterbium, heavy]))[0].status == "unseen_element: Yb"


@pytest.mark.parametrize("method", ["dft-r2scan", "sevennet-mf-0-r2scan"])
def test_its_energies_meet_no_others_on_a_hull(method):
    snapshot = DataFrame({"label_method": [method], "correction_scheme": ["MP2020"]})
    for weights in WEIGHTS:
        with pytest.raises(LodestoneError, match="must not meet on one hull"):
            refuse_other_kind(snapshot, oracle_of(**weights))


def test_the_rules_bring_its_energies_of_pbe_to_the_scheme_of_a_source_and_refuse_those_of_r2scan():
    source = DataFrame({"correction_scheme": ["MP-2019-legacy"]})
    assert _schemes(source, oracle_of()) == ("MP-2020", "MP-2019")
    with pytest.raises(LodestoneError, match="those in the energies of sevennet-mf-0-r2scan are not known"):
        _schemes(source, oracle_of(**WEIGHTS[3]))


@pytest.mark.slow
@ALL
def test_energies_are_those_of_the_package_and_the_corrections_of_pbe_are_added(weights):
    from sevenn.calculator import SevenNetCalculator

    path = Path(sevenn.__file__).parent / "pretrained_potentials" / module._FILES[weights.get("model", "SevenNet-l3i5")]
    with pytest.warns(UserWarning, match="accelerator"):
        package = SevenNetCalculator(path, device="cpu", modal=weights.get("modality"))
    added = {"Na4Cl4": -0.614 / 2, "Mg4O4": -0.687 / 2, "Na2": 0.0} if weights != WEIGHTS[3] else {}
    labels = dict(oracle_of(**weights).static().label([SALT, MAGNESIA, ELEMENTS["Na"]]))
    for index, crystal in enumerate((SALT, MAGNESIA, ELEMENTS["Na"])):
        atoms = crystal.to_ase()
        atoms.calc = package
        formula = atoms.get_chemical_formula(mode="metal")
        expected = atoms.get_potential_energy() / len(atoms) + added.get(formula, 0.0)
        assert labels[index].energy_per_atom == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
@ALL
def test_formation_energies_of_salt_and_magnesia(weights):
    static = oracle_of(**weights).static()
    energies = {
        name: label_one(static, crystal).energy_per_atom
        for name, crystal in (ELEMENTS | {"NaCl": SALT, "MgO": MAGNESIA}).items()
    }
    assert energies["NaCl"] - (energies["Na"] + energies["Cl"]) / 2 == pytest.approx(-2.1, abs=0.15)
    assert energies["MgO"] - (energies["Mg"] + energies["O"]) / 2 == pytest.approx(-3.0, abs=0.15)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:No tensor product accelerator")
@ALL
def test_energies_alone_are_the_same_to_the_last_bit_and_take_no_derivatives(weights):
    many = [crystal.to_ase() for crystal in (SALT, MAGNESIA, ELEMENTS["Na"])]
    whole = oracle_of(**weights).evaluate(many)
    with no_derivatives():
        alone = oracle_of(**weights).evaluate(many, derivatives=False)
    assert [results["energy"] for results in alone] == [results["energy"] for results in whole]
    assert all(np.abs(results["stress"]).max() > 0 for results in whole)


@pytest.mark.slow
def test_a_relaxation_converges_and_a_second_one_gives_the_same_label():
    first, second = (label_one(oracle_of(model="SevenNet-0"), shaken(SALT)) for _ in range(2))
    assert first.ok
    assert np.linalg.norm(first.crystal.lattice, axis=1) == pytest.approx([5.69] * 3, abs=0.05)
    assert 0 < first.n_steps < 50
    assert (first.energy_per_atom, first.crystal.digest()) == (second.energy_per_atom, second.crystal.digest())
    static = label_one(oracle_of(model="SevenNet-0").static(), first.crystal)
    assert static.energy_per_atom == pytest.approx(first.energy_per_atom, abs=1e-5)


@pytest.mark.slow
def test_a_peroxide_is_corrected_as_one():
    """By the crystal that it has relaxed to, not by its formula."""
    oracle = oracle_of(model="SevenNet-0").static()
    pair = molecules(3.6, 8, 1.45)
    peroxide = Crystal(pair.lattice, [8, 8, 3, 3], np.vstack([pair.frac_coords, [[0, 0, 0], [0.5, 0, 0]]]))
    [results] = oracle.evaluate([peroxide.to_ase()], derivatives=False)
    added = label_one(oracle, peroxide).energy_per_atom - results["energy"] / 4
    assert added == pytest.approx(-0.465 / 2)


@pytest.mark.slow
def test_what_it_has_not_learned_has_no_energy_in_its_weights():
    import torch

    from lodestone.crystals.elements import SYMBOLS
    from lodestone.oracles.learned import OF_THE_MATERIALS_PROJECT

    for name, file in module._FILES.items():
        path = Path(sevenn.__file__).parent / "pretrained_potentials" / file
        content = torch.load(path, map_location="cpu", weights_only=False)
        places = content["config"]["_type_map"]
        assert {SYMBOLS[number] for number in places} == OF_THE_MATERIALS_PROJECT
        shifts = content["model_state_dict"]["rescale_atomic_energy.shift"]
        for modality, place in (content["config"].get("_modal_map") or {"PBE": ...}).items():
            silent = {SYMBOLS[number] for number, at in places.items() if shifts[place][at] == 0}
            assert silent == module._UNSEEN.get(modality, set()), (name, modality)


def test_settings_are_plain_data():
    assert json.loads(json.dumps(oracle_of().facts()))["name"] == "sevennet-l3i5-pbe"

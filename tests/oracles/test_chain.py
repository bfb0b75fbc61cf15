"""Relaxed by one oracle, judged by another: whose energy it is, what it is called, and which of the two failed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from fake_oracle import FakeOracle, FakeSettings, cube
from test_ase_calculator import EMT, emt, metal

from lodestone.config.load import parse_params
from lodestone.config.registry import ORACLES, Registered
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import label_one
from lodestone.oracles.base import Label
from lodestone.oracles.pool import label_all
from lodestone.oracles.registry import as_is, make_oracle
from lodestone.oracles.store import LabelStore, label_key

PAIRS = EMT | {
    "calculator": "ase.calculators.lj:LennardJones",
    "arguments": {"sigma": 2.3, "epsilon": 0.4, "rc": 9.0},
}
FAULTS = {1: "key", 2: "memory", 3: "installation"}


def chain(relax=EMT, judge=PAIRS, **settings):
    return make_oracle(ORACLES.settings("chain", {"name": "chain", "relax": relax, "judge": judge} | settings))


class Judge(FakeOracle):
    """The fake, which labels crystals as they are, too."""

    def static(self):
        return self


class Silent(Judge):
    def label(self, crystals):
        yield from ()


class Exploding(Judge):
    def label(self, crystals):
        yield from ((index, Label("exploded", n_steps=4)) for index in range(len(crystals)))


@pytest.fixture(autouse=True)
def _fakes(monkeypatch, tmp_path):
    """Fake oracles in the registry, forgotten after a test."""
    ORACLES.names()
    monkeypatch.setattr(ORACLES, "_entries", dict(ORACLES._entries))
    faults = {number: (fault, 1000) for number, fault in FAULTS.items()}
    kinds = {
        "good": lambda _: Judge(tmp_path / "good", name="good"),
        "faulty": lambda _: Judge(tmp_path / "faulty", name="faulty", faults=faults),
        "silent": lambda _: Silent(tmp_path / "silent", name="silent"),
        "exploding": lambda _: Exploding(tmp_path / "exploding", name="exploding"),
        "together": lambda _: Judge(tmp_path / "together", name="together", together=True, several=5),
    }
    for name, make in kinds.items():
        ORACLES._entries[name] = Registered(name, FakeSettings, make)


def fakes(relax: str, judge: str):
    return chain({"name": relax}, {"name": judge})


def test_the_energy_is_that_of_the_judge_for_what_the_other_relaxed():
    relaxed, judged = label_one(emt(), metal()), label_one(chain(), metal())
    assert judged.ok
    assert judged.crystal.digest() == relaxed.crystal.digest()
    assert judged.n_steps == relaxed.n_steps > 0
    judge = emt(**{name: PAIRS[name] for name in ("calculator", "arguments")}).static()
    assert judged.energy_per_atom == label_one(judge, relaxed.crystal).energy_per_atom
    assert judged.energy_per_atom < relaxed.energy_per_atom - 1


def test_its_name_corrections_and_caveat_are_those_of_the_judge_and_name_what_relaxed():
    judge = PAIRS | {"functional": "PBE", "correction_scheme": "MP2020"}
    oracle = chain(judge=judge)
    relax, strong = emt(), make_oracle(ORACLES.settings("ase", judge))
    assert oracle.name == f"{strong.name}//{relax.name}"
    assert (oracle.correction_scheme, oracle.included_corrections) == ("MP2020", "MP2020")
    assert oracle.caveat.startswith(strong.caveat)
    assert relax.name in oracle.caveat
    assert as_is(oracle).name == f"{strong.name}-static"
    assert oracle.facts()["settings"]["relax"] == relax.identity()


def test_its_labels_depend_on_both():
    key = label_key(chain(), metal())
    others = [chain(relax=EMT | {"fmax": 0.1}), chain(judge=PAIRS | {"min_energy_per_atom": -9.0}), emt()]
    assert len({key, *(label_key(oracle, metal()) for oracle in others)}) == 4
    assert label_key(chain(judge=PAIRS | {"fmax": 0.1}), metal()) == key  # the judge relaxes nothing
    assert label_key(chain(max_seconds=9), metal()) == key
    assert chain({"name": "chgnet-r2scan", **limits()}).versions.keys() == {
        "ase",
        "chgnet",
        "numpy",
        "pymatgen",
        "torch",
    }


def limits():
    kept = ("fmax", "max_steps", "max_volume_change", "min_distance_ratio")
    return {name: EMT[name] for name in kept}


@pytest.mark.parametrize(
    ("relax", "judge", "number", "status"),
    [
        ("good", "good", 1, "ok"),
        ("faulty", "good", 1, "relax_failed: KeyError: 'no such atom'"),
        ("good", "faulty", 1, "judge_failed: KeyError: 'no such atom'"),
        ("good", "silent", 1, "judge_failed: the oracle gave no label"),
        ("silent", "good", 1, "failed: the oracle gave no label"),
        ("exploding", "good", 1, "relax_exploded"),
        ("good", "exploding", 1, "judge_exploded"),
        ("good", "faulty", 2, "out_of_memory"),
        ("faulty", "good", 2, "out_of_memory"),
    ],
)
def test_a_failure_says_in_which_of_the_two(relax, judge, number, status):
    label = label_one(fakes(relax, judge), cube(number))
    assert label.status == status
    assert (label.crystal is None) == (status != "ok")


@pytest.mark.parametrize(("relax", "judge"), [("faulty", "good"), ("good", "faulty")])
def test_an_installation_at_fault_stops_the_campaign(relax, judge):
    with pytest.raises(LodestoneError, match="the license has expired"):
        label_one(fakes(relax, judge), cube(3))


def test_one_that_raises_takes_no_other_with_it(tmp_path):
    oracle = fakes("faulty", "together")
    assert oracle.one_process
    with LabelStore(tmp_path / "labels.sqlite") as store:
        labels = label_all(oracle, [cube(number) for number in (4, 1, 5)], store, "test")
    assert [label.status for label in labels] == ["ok", "relax_failed: KeyError: 'no such atom'", "ok"]


def test_crystals_come_as_many_at_once_as_the_one_that_relaxes_takes():
    assert (fakes("together", "good").at_once, fakes("good", "together").at_once) == (5, 1)
    labels = dict(fakes("together", "good").label([cube(4), cube(5, 2.0)]))
    assert labels[1] == replace(labels[1], status="ok", n_steps=3)
    assert labels[0].crystal.volume == pytest.approx(4 * 27)  # each of the two fakes doubles it
    assert np.isfinite([label.energy_per_atom for label in labels.values()]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"judge": {"name": "no-such"}}, r"oracle\.judge: there is no oracle 'no-such'; there are: .*ase, chain"),
        ({"judge": PAIRS | {"fmax": -1}}, r"oracle\.judge\.fmax: Input should be greater than 0"),
        ({"relax": EMT | {"max_seconds": 9}}, r"oracle\.relax: max_seconds is that of the whole chain"),
        ({"relax": {}}, r"oracle\.relax\.name: Field required"),
        (
            {"judge": {"name": "external", "label_method": "dft-pbe", "correction_scheme": "MP2020"}},
            r"oracle\.judge: external computes nothing itself",
        ),
    ],
)
def test_bad_settings_are_refused_by_their_key(change, message):
    content = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
    with pytest.raises(LodestoneError, match=message):
        parse_params(content | {"oracle": {"name": "chain", "relax": EMT, "judge": PAIRS} | change})


def test_a_judge_that_can_only_relax_is_refused(tmp_path, monkeypatch):
    make = lambda _: FakeOracle(tmp_path / "journal")  # noqa: E731
    monkeypatch.setitem(ORACLES._entries, "fake", Registered("fake", FakeSettings, make))
    with pytest.raises(LodestoneError, match=r"oracle\.judge: fake-1 cannot label crystals as they are"):
        fakes("good", "fake")

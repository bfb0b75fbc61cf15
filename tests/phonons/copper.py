"""Copper by ASE's EMT: face-centered and hexagonal crystals are stable, the body-centered one is not."""

import os
from types import SimpleNamespace

import polars as pl
from ase.build import bulk

from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.oracles.potential import Potential, RelaxationSettings
from lodestone.oracles.registry import make_oracle

LIMITS = {
    "fmax": 0.05,
    "max_steps": 100,
    "max_volume_change": 2.0,
    "min_distance_ratio": 0.5,
    "min_energy_per_atom": -15.0,
}
SECTION = {
    "name": "ase",
    "calculator": "ase.calculators.emt:EMT",
    "functional": "none",
    "correction_scheme": "none",
    **LIMITS,
}
FCC = Crystal.from_ase(bulk("Cu", "fcc", 3.62))
BCC = Crystal.from_ase(bulk("Cu", "bcc", 2.85))
HCP = Crystal.from_ase(bulk("Cu", "hcp", a=2.55, c=4.1))


def emt(**settings):
    return make_oracle(ORACLES.choice("name", SECTION | settings))


class DyingSettings(RelaxationSettings):
    name: str = "dying-of-the-phonons"


@ORACLES.register("dying-of-the-phonons", settings=DyingSettings)
class Dying(Potential):
    """EMT whose process dies at cells of several atoms."""

    settings: DyingSettings
    caveat = "It dies."

    def evaluate(self, many, *, derivatives=True):
        if len(many[0]) == len(HCP):
            os._exit(9)
        return emt().evaluate(many, derivatives=derivatives)


def campaign_of(**crystals):
    """What the phonons need of a finished campaign: its discoveries."""
    names = list(crystals)
    table = describe(list(crystals.values())).with_columns(
        material_id=pl.Series(names),
        round=pl.lit("round_0"),
        acquired_by=pl.Series(["model", *["random"] * (len(names) - 1)]),
        energy_above_hull_start=pl.lit(-0.05),
    )
    return SimpleNamespace(discoveries=table, method="emt")

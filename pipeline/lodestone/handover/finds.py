"""A find with everything that is handed over about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.handover.campaign import Finished
from lodestone.handover.elsewhere import Elsewhere
from lodestone.handover.energies import Energies
from lodestone.handover.judges import Verdict, disagreeing, judges
from lodestone.handover.phases import System
from lodestone.handover.reactions import Reaction
from lodestone.handover.routes import Route, routes
from lodestone.report.discoveries import crystal_of
from lodestone.substitution.element_data import TOXIC, radioactive_elements


@dataclass(frozen=True, kw_only=True)
class Find:
    """One discovery.

    Attributes:
        row: Its row of the discoveries.
        energies: What its energies are.
        system: The phases of its chemical system, itself among them.
        decomposition: What it would decompose into without a phase of its composition.
        routes: Reactions from common precursors, the largest driving force first.
        verdicts: Of its judges.
        elsewhere: What databases know of it; ``None`` where nobody has looked it up.
    """

    row: Mapping[str, Any]
    energies: Energies
    system: System
    decomposition: Reaction
    routes: tuple[Route, ...]
    verdicts: tuple[Verdict, ...]
    elsewhere: tuple[Elsewhere, ...] | None = None

    @property
    def material_id(self) -> str:
        """Its identifier."""
        return str(self.row["material_id"])

    @property
    def formula(self) -> str:
        """Its reduced formula."""
        return str(self.row["formula_pretty"])

    @property
    def elements(self) -> list[str]:
        """Its elements, in alphabetical order."""
        return str(self.row["chemsys"]).split("-")

    @cached_property
    def name(self) -> str:
        """The formula as file names carry it: letters and digits only, as ``SrMn2P2``."""
        from pymatgen.core import Composition

        amounts = Composition(self.formula).get_el_amt_dict()
        return "".join(symbol if n == 1 else f"{symbol}{n:g}" for symbol, n in amounts.items())

    @property
    def folder(self) -> str:
        """Name of its folder, which no other find has."""
        return f"{self.name}_{re.sub(r'[^A-Za-z0-9_.-]', '_', self.material_id)}"

    @property
    def crystal(self) -> Crystal:
        """As the oracle relaxed it."""
        return crystal_of(self.row)

    @property
    def disagreeing(self) -> list[str]:
        """Judges that call it unstable."""
        return disagreeing(self.verdicts)

    @property
    def novelty(self) -> dict[str, Any]:
        """What is new about it, and whether it is likely to be disordered when made."""
        return {name: self.row[name] for name in ("novelty", "known_as", "likely_disorder", "disorder_family")}

    @property
    def hazards(self) -> dict[str, list[str]]:
        """Its toxic and radioactive elements, as `discovery.elements` knows them."""
        return {
            "toxic_elements": [symbol for symbol in self.elements if symbol in TOXIC],
            "radioactive_elements": [symbol for symbol in self.elements if symbol in radioactive_elements()],
        }


def finds(campaign: Finished) -> Iterator[Find]:
    """The discoveries: those that no judge disputes first, then those that lie least deep below the hull of before."""
    verified = {row["material_id"]: row for row in campaign.verifications.iter_rows(named=True)}
    rows = list(campaign.discoveries.iter_rows(named=True))
    verdicts = {
        row["material_id"]: judges(
            row,
            verified[row["material_id"]],
            campaign.energies,
            audit=campaign.audit,
            opinions=campaign.opinions,
            phonons=campaign.phonons,
        )
        for row in rows
    }

    def place(row: Mapping[str, Any]) -> tuple[int, float, str]:
        disputing = disagreeing(verdicts[row["material_id"]])
        return len(disputing), -row["energy_above_hull_start"], row["material_id"]

    for row in sorted(rows, key=place):
        yield _find(row, campaign, tuple(verdicts[row["material_id"]]))


def _find(row: Mapping[str, Any], campaign: Finished, verdicts: tuple[Verdict, ...]) -> Find:
    system = campaign.phases.within(str(row["chemsys"]).split("-"))
    return Find(
        row=row,
        energies=campaign.energies,
        system=system,
        decomposition=system.decomposition(row),
        routes=tuple(routes(row, campaign.phases)),
        verdicts=verdicts,
        elsewhere=None if campaign.elsewhere is None else campaign.elsewhere[row["material_id"]],
    )


def competing(find: Find) -> pl.DataFrame:
    """The phases near the hull of a find's system, as a table for people; the find is marked."""
    return find.system.competing(find.material_id).select(
        "material_id",
        formula="formula_pretty",
        chemical_system="chemsys",
        formation_energy_ev_per_atom=pl.col("formation_energy_per_atom").round(6),
        energy_above_hull_ev_per_atom="energy_above_hull",
        origin="origin",
        is_this_find=pl.col("material_id") == find.material_id,
    )


def route_table(find: Find) -> pl.DataFrame:
    """The routes as a table for people, the largest driving force first."""
    rows = [
        {
            "rank": rank,
            "kind": one.kind,
            "equation": one.reaction.equation,
            "precursors": "; ".join(one.precursors),
            "amounts_mol": "; ".join(f"{part.amount:g}" for part in one.reaction.reactants),
            "driving_force_ev_per_atom": round(0.0 - one.reaction.energy_per_atom, 6),
            "reaction_energy_kj_per_mol": one.reaction.kilojoules,
            "remark": one.remark,
        }
        for rank, one in enumerate(find.routes, start=1)
    ]
    texts = dict.fromkeys(("kind", "equation", "precursors", "amounts_mol"), pl.String)
    numbers = dict.fromkeys(("driving_force_ev_per_atom", "reaction_energy_kj_per_mol"), pl.Float64)
    return pl.DataFrame(rows, schema={"rank": pl.Int64, **texts, **numbers, "remark": pl.String})

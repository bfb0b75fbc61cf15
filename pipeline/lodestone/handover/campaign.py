"""A finished campaign, as far as it is handed over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.config.load import PARAMS_FILE, load_params
from lodestone.config.params import Params
from lodestone.config.rounds import round_names
from lodestone.errors import LodestoneError
from lodestone.handover.elsewhere import LookedUp
from lodestone.handover.energies import Energies
from lodestone.handover.phases import KnownPhases
from lodestone.report.second_opinions import said_by_a_stage
from lodestone.schemas import Crystals, Discoveries, Verifications
from lodestone.tables.files import read_json, read_table
from lodestone.tables.layout import REPORTS, Layout

AUDIT = REPORTS / "audit.json"
OPINIONS = REPORTS / "opinions.json"
PHONONS = REPORTS / "phonons.json"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished campaign.

    Attributes:
        discoveries: Contract :class:`lodestone.schemas.Discoveries`; at least one.
        verifications: Their verifications, one row for each and in their order.
        known: Crystals known at the end, the discoveries among them (contract :class:`lodestone.schemas.Crystals`).
        phases: All phases known at the end: these, and those without structures.
        energies: What the energies are.
        method: Label method of the oracle; of a chain, that of its judge.
        audit: What `lodestone audit` wrote; ``None`` where nobody audited.
        opinions: What `lodestone opinions` wrote, or else the stage of that name; ``None`` where nobody was asked.
        phonons: What `lodestone phonons` wrote; ``None`` where nobody computed them.
        elsewhere: What databases know of the discoveries, by identifier; ``None`` where nobody has looked them up.
    """

    discoveries: pl.DataFrame
    verifications: pl.DataFrame
    known: pl.DataFrame
    phases: KnownPhases
    energies: Energies
    method: str
    audit: Mapping[str, Any] | None = None
    opinions: Mapping[str, Any] | None = None
    phonons: Mapping[str, Any] | None = None
    elsewhere: LookedUp | None = None

    def only(self, names: Collection[str]) -> Finished:
        """The same with some of the discoveries, in the order of the table.

        Args:
            names: Their identifiers or formulas.

        Raises:
            LodestoneError: If one of the names is that of no discovery.
        """
        wanted = [pl.col(column).is_in(list(names)) for column in ("material_id", "formula_pretty")]
        for name in names:
            self._refuse_unknown(name)
        kept = self.discoveries.filter(wanted[0] | wanted[1])
        rows = self.verifications.join(kept, on="material_id", how="semi", maintain_order="left")
        return replace(self, discoveries=kept, verifications=rows)

    def _refuse_unknown(self, name: str) -> None:
        known = [*self.discoveries["material_id"], *self.discoveries["formula_pretty"]]
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            remedy = f"{hint}reports/discoveries.parquet and the report list all discoveries"
            raise LodestoneError(f"{name!r} is the identifier or formula of no discovery of this campaign", remedy)


def read_finished(folder: Path = Path(), *, judged: bool = True) -> Finished:
    """Read the finished campaign of a folder.

    Args:
        folder: With `params.yaml`, `data/` and `reports/`.
        judged: Whether with its audit, its second opinions and its phonons, where there are any.

    Raises:
        LodestoneError: If there is none, it is not finished, has no discovery, or its tables are of different states.
    """
    if not (folder / PARAMS_FILE).is_file():
        raise LodestoneError(f"{folder} holds no campaign: it has no {PARAMS_FILE}", "name its folder: --campaign DIR")
    params, layout = load_params(folder / PARAMS_FILE), Layout(folder / Layout().data)
    names = round_names(params.rounds)
    end = layout.round(params.rounds[names[-1]].next)
    reported = folder / REPORTS / "discoveries.parquet"
    _refuse_unfinished(folder, [*(layout.round(name).verifications for name in names), end.crystals, reported])
    campaign = assembled(params, layout, _some(read_table(reported, Discoveries)))
    if not judged:
        return campaign
    return replace(
        campaign,
        audit=_said(folder / AUDIT, "audit", {"discoveries", "oracle", "against"}),
        opinions=_said(folder / OPINIONS, "opinions", {"finds", "oracles", "campaign"})
        or said_by_a_stage(layout.opinions, "oracles"),
        phonons=_said(folder / PHONONS, "phonons", {"finds", "oracle", "settings"})
        or said_by_a_stage(layout.phonons, "finds"),
    )


def assembled(params: Params, layout: Layout, discoveries: pl.DataFrame) -> Finished:
    """The campaign that has made some discoveries; nobody but its own oracle has judged them.

    Args:
        params: Its settings.
        layout: Where its data are.
        discoveries: All of its discoveries (contract :class:`lodestone.schemas.Discoveries`).

    Raises:
        LodestoneError: If its tables are of different states.
    """
    names = round_names(params.rounds)
    verified = pl.concat(read_table(layout.round(name).verifications, Verifications) for name in names)
    known = read_table(layout.round(params.rounds[names[-1]].next).crystals, Crystals)
    _refuse_mixed(discoveries, verified, known)
    return Finished(
        discoveries=discoveries,
        verifications=discoveries.select("material_id").join(
            verified, on="material_id", how="left", maintain_order="left"
        ),
        known=known,
        phases=KnownPhases.of(known, _without_structures(layout)),
        energies=_energies(params, layout),
        method=str(read_json(layout.oracle)["name"]).partition("//")[0],
    )


def _refuse_unfinished(folder: Path, paths: list[Path]) -> None:
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        problem = f"the campaign in {folder} is not finished: it has no {missing.relative_to(folder)}"
        raise LodestoneError(problem, "run `lodestone discover` there to its end")


def _refuse_mixed(discoveries: pl.DataFrame, verified: pl.DataFrame, known: pl.DataFrame) -> None:
    """Refuse discoveries of another state of the campaign."""
    actual = set(verified.filter("is_discovery")["material_id"])
    reported = set(discoveries["material_id"])
    if lost := sorted((reported ^ actual) | (reported - set(known["material_id"]))):
        problem = f"discovery {lost[0]!r} is in some tables of the campaign only: they are of different states"
        raise LodestoneError(problem, "run `lodestone discover` again, which makes what is out of date")


def _some(discoveries: pl.DataFrame) -> pl.DataFrame:
    if discoveries.is_empty():
        remedy = "add a round, or enlarge its budget"
        raise LodestoneError("the campaign has no discovery, so there is nothing to hand over or to judge", remedy)
    return discoveries


def _without_structures(layout: Layout) -> pl.DataFrame | None:
    return read_table(layout.phases) if layout.phases.is_file() else None


def _energies(params: Params, layout: Layout) -> Energies:
    return Energies.of(params.label.scale, read_json(layout.oracle), read_json(layout.provenance))


def _said(path: Path, command: str, keys: set[str]) -> Mapping[str, Any] | None:
    """What a command has written about the discoveries; ``None`` where nobody has run it."""
    if not path.is_file():
        return None
    content = read_json(path)
    if not isinstance(content, dict) or not keys <= content.keys():
        remedy = f"write it anew by `lodestone {command}`, or delete it: it is not needed"
        raise LodestoneError(f"{path} was not written by `lodestone {command}`", remedy)
    return content

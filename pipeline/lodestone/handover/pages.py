"""The pages of a hand-over: a table of contents, and one page for each find. They make no requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from lodestone.handover.campaign import Finished
from lodestone.handover.elsewhere import looked_up
from lodestone.handover.finds import Find, competing
from lodestone.handover.judges import AUDIT, ENSEMBLE, PHONONS, SECOND, Verdict
from lodestone.handover.reactions import ARROW, Reaction
from lodestone.handover.routes import KINDS, Route
from lodestone.report import markup
from lodestone.report.discoveries import ON_HULL

if TYPE_CHECKING:
    from jinja2 import Environment

_SAYS = {True: "stable", False: "not stable", None: "no verdict"}
ON_PAGE = 5  # routes of each kind on the page of a find; the table has more


def contents_page(finds: Sequence[Find], campaign: Finished) -> str:
    """The table of contents.

    Args:
        finds: In the order in which they are listed.
        campaign: Where they come from.
    """
    rows = [_summary(find) | {"folder": find.folder} for find in finds]
    return _page(
        "contents.html.j2",
        {
            "rows": rows,
            "energies": campaign.energies,
            "audited": campaign.audit is not None,
            "oracles": list(campaign.opinions["oracles"]) if campaign.opinions else [],
            "vibrated": campaign.phonons is not None,
            "looked_up": looked_up(campaign.elsewhere),
        },
    )


def find_page(find: Find, files: Sequence[str]) -> str:
    """The page of one find.

    Args:
        find: The find.
        files: Names of its files.
    """
    phases = [row for row in competing(find).rows(named=True) if row["energy_above_hull_ev_per_atom"] <= ON_HULL]
    content = {
        "energies": find.energies,
        "decomposition": _reaction(find.decomposition),
        "polymorphs": find.system.polymorphs(find.row),
        "routes": {kind: _routes(find, kind) for kind in KINDS},
        "phases": [row | {"formula": markup.formula(row["formula"])} for row in phases if not row["is_this_find"]],
        "judges": [_verdict(verdict) for verdict in find.verdicts],
        "files": files,
        "picture": next(name for name in files if name.endswith(".svg")),
        "origin": markup.origin(find.row["generator"], find.row["provenance"]),
        "round": find.row["round"],
        "n_sites": find.row["nsites"],
    }
    return _page("find.html.j2", _summary(find) | content)


def _summary(find: Find) -> dict[str, Any]:
    best = min(find.routes, key=lambda one: KINDS.index(one.kind), default=None)  # the first of its kind
    return {
        "material_id": find.material_id,
        "name": find.name,
        "formula": markup.formula(find.formula),
        "chemsys": find.row["chemsys"].replace("-", "–"),
        "spacegroup": markup.spacegroup(find.row["spacegroup_number"]),
        "number": find.row["spacegroup_number"],
        "end": markup.milli(find.row["energy_above_hull"]),
        "start": markup.milli(find.row["energy_above_hull_start"]),
        "decomposes": _reaction(find.decomposition),
        "route": _reaction(best.reaction) if best else None,
        "probability": markup.percent(find.verdicts[0]["stability_probability"]),
        "disputed_by": find.disagreeing,
        **find.novelty,
        "elsewhere": find.elsewhere,
        "hazards": find.hazards,
    }


def _reaction(reaction: Reaction) -> dict[str, Any]:
    return {
        "equation": markup.formula(reaction.equation.replace(ARROW, "→")),
        "milli": markup.milli(reaction.energy_per_atom),
        "driving_force": markup.milli(0.0 - reaction.energy_per_atom),
        "kilojoules": f"{reaction.kilojoules:.1f}".replace("-", "−"),
        "is_downhill": reaction.energy < 0,
    }


def _routes(find: Find, kind: str) -> list[dict[str, Any]]:
    chosen = [one for one in find.routes if one.kind == kind][:ON_PAGE]
    return [_route(one) for one in chosen]


def _route(route: Route) -> dict[str, Any]:
    return _reaction(route.reaction) | {"remark": route.remark}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    distance = markup.milli(verdict["energy_above_hull_ev_per_atom"])
    return {
        "judge": verdict["judge"],
        "name": verdict["name"],
        "says": _SAYS[verdict["says_stable"]],
        "distance": distance,
        "details": _details(verdict),
    }


def _details(verdict: Verdict) -> str | Markup:
    if verdict["judge"] == ENSEMBLE:
        low, high = (markup.electronvolts(end) for end in verdict["interval_90_ev_per_atom"])
        outside = ", ".join(verdict["out_of_distribution"])
        energy = markup.electronvolts(verdict["formation_energy_ev_per_atom"])
        text = f"P(stable) {markup.percent(verdict['stability_probability'])}; formation energy {energy} eV/atom"
        return f"{text}, 90 % interval {low} to {high}" + (f"; out of distribution: {outside}" if outside else "")
    if verdict["judge"] == AUDIT:
        return _audited(verdict)
    if verdict["judge"] == PHONONS:
        return _dynamical(verdict)
    if SECOND in verdict:
        return _second(verdict)
    energy = markup.electronvolts(verdict["formation_energy_ev_per_atom"])
    n = verdict["n_competing_phases"]
    return f"formation energy {energy} eV/atom; {n} competing phases known when its round began"


def _audited(verdict: Mapping[str, Any]) -> Markup:
    falls = " + ".join(
        f"{one['formula_pretty']} ({one['material_id'] or one['source']})" for one in verdict["falls_to"]
    )
    said = ["the table has its formula" if verdict["formula_is_known"] else "the table lacks its formula"]
    said += [f"the table has it as {verdict['known_as']}"] if verdict["known_as"] else []
    return Markup("; ").join([*said, *([f"falls to {falls}"] if falls else [])])


def _second(verdict: Mapping[str, Any]) -> str:
    missing = f", {verdict['n_missing_phases']} more without an energy" if verdict["n_missing_phases"] else ""
    phases = f"{verdict['n_competing_phases']} competing phases{missing}"
    return f"{phases}; {verdict['reason']}" if verdict["reason"] else f"{phases}; below 0: so far below their hull"


def _dynamical(verdict: Mapping[str, Any]) -> str:
    """Lowest frequency, and where an imaginary mode leads."""
    if verdict["lowest_frequency_thz"] is None:
        return str(verdict["reason"])
    q = " ".join(f"{round(value, 3):g}" for value in verdict["wave_vector"])
    lowest = f"{verdict['lowest_frequency_thz']:.2f}".replace("-", "−")
    words = [f"lowest frequency {lowest} THz at q = ({q}); below 0: imaginary"]
    words += [verdict["reason"]] if verdict["reason"] else []
    return "; ".join([*words, *_distorted(verdict["followed"])])


def _distorted(followed: Mapping[str, Any] | None) -> list[str]:
    if followed is None:
        return []
    if followed["gained_ev_per_atom"] is None:
        return ["its softest mode was followed to no crystal"]
    gained = markup.milli(followed["gained_ev_per_atom"], 1)
    group = f"space group {followed['space_group_number']}"
    return [f"distorts to {group}, {gained} meV/atom lower, {_SAYS[followed['is_stable']]} there"]


def _page(template: str, content: Mapping[str, Any]) -> str:
    return str(_environment().get_template(template).render(content)) + "\n"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """One for all pages, as templates take longer to compile than to fill."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )

"""What people read first: the note of a campaign and the card of a model, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lodestone.tables.files import read_json
from lodestone.tracking.finished import FinishedCampaign
from lodestone.tracking.records import DatasetRecord


def campaign_note(campaign: FinishedCampaign) -> str:
    """The note of a campaign's run: its rounds in a table, and whose energies it is about."""
    head = ["round", "learned from", "test MAE", "unrelaxed", "hits of the models", "hits at random", "finds so far"]
    rows = [head, ["---"] * len(head), *(_round_row(campaign, name) for name in campaign.names)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    facts = f"Labels: {campaign.labels}. Snapshot: `{campaign.snapshot}`. MAE in eV/atom."
    where = "`campaign.html` among the artifacts is the report; each round and view has a child run."
    return "\n\n".join([table, facts, _caveat(campaign), where])


def model_card(campaign: FinishedCampaign, name: str, datasets: Iterable[DatasetRecord]) -> str:
    """The card of the ensemble of a round: what it predicts, from what it learned, how well it does, and its limits."""
    metrics = campaign.metrics(name, "ensemble")
    sizes = ", ".join(f"{dataset.n} {dataset.name}" for dataset in datasets)
    views = ", ".join(f"{view} ({campaign.params.view(view).members} networks)" for view in campaign.params.views)
    provenance = read_json(campaign.layout.provenance)
    return "\n\n".join(
        [
            f"# Lodestone ensemble, {name} of campaign {campaign.digest[:8]}",
            "Formation energy, distance to the convex hull and P(stable) of inorganic crystals, with calibrated 90 % "
            "intervals (eV/atom), and a flag for crystals unlike those learned from.",
            f"**Views:** {views}, combined by `{campaign.params.ensemble.aggregation}`.",
            f"**Learned from:** {sizes}; source of the crystals: {provenance.get('source', 'unknown')}. Test crystals "
            f"have formulas (or chemical systems) that no network has seen.",
            f"**Labels:** {campaign.labels}. {_caveat(campaign)}",
            _errors(metrics),
            "**Ask it** with a table that has a column `structure` (CIF or POSCAR as text, structures of pymatgen or "
            "ASE) or `lattice`, `atomic_numbers`, `frac_coords`; for structures that are not relaxed, with "
            '`params={"input_structure": "unrelaxed"}`.',
            "**Limits:** the hull is that of the crystals known when the round began (`hull.parquet`) and lies too "
            "high where phases are missing. Only ordered crystals; no other charges, temperatures or pressures.",
            "**License:** Apache-2.0; the labels belong to their source.",
        ]
    )


def _round_row(campaign: FinishedCampaign, name: str) -> list[str]:
    ensemble, learning = campaign.metrics(name, "ensemble"), campaign.metrics(name, "active_learning")
    unrelaxed = _mae(ensemble.get("unrelaxed", {}).get("test", {}))
    rates = learning.get("hit_rate", {})
    hits = [_hits(rates.get(who, {})) for who in ("model", "random")]
    return [
        *(name, str(ensemble.get("n_train", "")), _mae(ensemble.get("test", {})), unrelaxed),
        *hits,
        str(learning.get("n_discovered_total", "")),
    ]


def _errors(metrics: Mapping[str, Any]) -> str:
    rows = [["test crystals", "n", "MAE", "coverage of 90 % intervals", "F1 of stability"], ["---"] * 5]
    for kind, content in (("relaxed", metrics), ("unrelaxed", metrics.get("unrelaxed", {}))):
        test = content.get("test", {})
        coverage = test.get("uncertainty", {}).get("coverage", {}).get("rate")
        f1 = test.get("stability", {}).get("f1")
        n = str(test.get("ensemble", {}).get("n", ""))
        rows.append([kind, n, _mae(test), _number(coverage), _number(f1)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _mae(scores: Mapping[str, Any]) -> str:
    return _number(scores.get("ensemble", {}).get("mae"))


def _hits(rate: Mapping[str, Any]) -> str:
    return f"{rate['hits']} of {rate['n']}" if rate.get("n") else "none tried"


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "not measured"


def _caveat(campaign: FinishedCampaign) -> str:
    return str(read_json(campaign.layout.oracle).get("caveat") or "")

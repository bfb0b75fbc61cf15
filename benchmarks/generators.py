"""What each generator of a finished campaign gave for the seconds of the oracle that it took.

    python benchmarks/generators.py --campaign .

The counts are those of the report's table; seconds are those that the label store remembers of the candidates (that of
the campaign, or `LODESTONE_LABELS`), whoever else was using the machine meanwhile. Brackets are 95 % Wilson intervals.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from options import campaign_parser, one_thread

one_thread()

import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.oracles.registry import make_oracle  # noqa: E402
from lodestone.oracles.store import LabelStore, default_path, label_keys  # noqa: E402
from lodestone.report.collect import CampaignData, collect  # noqa: E402
from lodestone.report.discoveries import discoveries  # noqa: E402
from lodestone.report.generators import contributions  # noqa: E402
from lodestone.tables.layout import METRICS, Layout  # noqa: E402
from shares import share_of  # noqa: E402

COLUMNS = (
    "generator",
    "screened",
    "verified",
    "hits, chosen by the ensemble",
    "hits, random",
    "discoveries",
    "in a new prototype",
    "seconds of the oracle",
    "hits in 100 s",
)


def main() -> None:
    """Print the table."""
    asked = campaign_parser(__doc__).parse_args()
    os.chdir(asked.campaign)  # paths of a campaign are relative to its folder
    params = load_params(Path("params.yaml"))
    campaign = collect(params, Layout(), METRICS)
    seconds = seconds_of(campaign)
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{' --- |' * len(COLUMNS)}")
    for line in rows(contributions(campaign, discoveries(campaign)), seconds):
        print(line)


def seconds_of(campaign: CampaignData) -> dict[str, float]:
    """Seconds of the oracle for the verified candidates of each generator."""
    chosen = pl.concat([data.candidates.filter(pl.col("acquired_by").is_not_null()) for data in campaign.rounds])
    oracle = make_oracle(campaign.params.oracle)
    with LabelStore(default_path()) as store:
        labels = [store.get(key) for key in label_keys(oracle, decode(chosen))]
    taken = chosen.select("generator", seconds=pl.Series([label.seconds if label else 0.0 for label in labels]))
    return dict(taken.group_by("generator").sum().iter_rows())


def rows(parts: dict[str, dict[str, Any]], seconds: dict[str, float]) -> Iterator[str]:
    """Lines of the table."""
    for name, part in parts.items():
        hits = {who: share_of(share["hits"], share["n"]) for who, share in part["hits"].items()}
        found, taken = sum(share["hits"] for share in part["hits"].values()), seconds.get(name, 0.0)
        cells = [name, f"{part['screened']:,}", part["verified"], hits["model"], hits["random"]]
        cells += [part["discoveries"], part["new_prototypes"], f"{taken:,.0f}"]
        cells.append(f"{100 * found / taken:.1f}" if taken else "-")
        yield f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()

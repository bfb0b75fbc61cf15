"""Hulls for pictures, held against hull distances from linear programming."""

from __future__ import annotations

import polars as pl
import pytest

from lodestone.report.collect import CampaignData
from lodestone.report.hull_figures import binary_figure, simplex_figure
from lodestone.report.hulls import most_changed_systems, system_hull


def test_corners_are_the_crystals_at_no_distance_from_the_hull(campaign: CampaignData) -> None:
    known = campaign.known
    for chemsys in known.filter(pl.col("chemsys").str.contains("-"))["chemsys"].unique().sort():
        elements = tuple(chemsys.split("-"))
        hull = system_hull(known, elements, set())
        corners = {name for name, on in zip(hull.ids, hull.on_hull, strict=True) if on and name}
        inside = [
            row["material_id"] for row in known.iter_rows(named=True) if set(row["chemsys"].split("-")) <= set(elements)
        ]
        stable = known.filter(
            pl.col("material_id").is_in(inside) & (pl.col("energy_above_hull") <= 0) & (pl.col("nsites") > 1)
        )
        assert corners == set(stable["material_id"]), chemsys


def test_edges_of_a_binary_hull_are_a_chain_between_the_elements(campaign: CampaignData, found: pl.DataFrame) -> None:
    binary = next(system for system in most_changed_systems(campaign, found) if len(system) == 2)
    hull = system_hull(campaign.known, binary, set())
    assert len(hull.edges) == hull.on_hull.sum() - 1
    assert hull.on_hull[:2].all()


def test_the_systems_drawn_hold_discoveries_and_are_one_of_each_kind(
    campaign: CampaignData, found: pl.DataFrame
) -> None:
    systems = most_changed_systems(campaign, found)
    assert [len(system) for system in systems] == [2, 3]
    assert {"-".join(system) for system in systems} <= set(found["chemsys"])


def test_a_missing_kind_is_replaced_by_the_next_best(campaign: CampaignData, found: pl.DataFrame) -> None:
    binaries = found.filter(pl.col("chemsys").str.count_matches("-") == 1)
    assert [len(system) for system in most_changed_systems(campaign, binaries)] == [2, 2]
    assert most_changed_systems(campaign, found.clear()) == []


@pytest.mark.parametrize("size", [2, 3])
def test_stars_are_the_discoveries_of_the_system(campaign: CampaignData, found: pl.DataFrame, size: int) -> None:
    system = next(system for system in most_changed_systems(campaign, found) if len(system) == size)
    names = set(found["material_id"])
    before = system_hull(campaign.rounds[0].crystals, system, names)
    after = system_hull(campaign.known, system, names)
    drawn = binary_figure(before, after) if size == 2 else simplex_figure(after, "after", before)
    stars = next(trace for trace in drawn.data if trace.name == "discovered")
    inside = [row for row in found["chemsys"] if set(row.split("-")) <= set(system)]
    assert len(stars.x) == len(inside) > 0


def test_an_empty_system_is_just_its_elements(campaign: CampaignData) -> None:
    hull = system_hull(campaign.known.clear(), ("K", "Na", "O"), set())
    assert hull.edges == ((0, 1), (0, 2), (1, 2))

"""What was tried and found, by what its elements are: toxic, radioactive, scarce, from few countries, dear."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import polars as pl

from lodestone.report.collect import CampaignData
from lodestone.substitution.element_data import (
    PRICE_CLASSES,
    TOXIC,
    crustal_abundances,
    price_class,
    radioactive_elements,
    supply_concentrations,
)

SCARCE = 0.01  # mg/kg of the Earth's crust
CONCENTRATED = 2500.0  # Herfindahl-Hirschman index of production by country


def class_rows(campaign: CampaignData) -> list[dict[str, Any]]:
    """One row per property of elements: verified candidates and discoveries that have such an element.

    The rows of price classes, those of the dearest element, add up to all; the others overlap.
    """
    tried = campaign.verifications.select("chemsys", "is_discovery")
    systems = {chemsys: chemsys.split("-") for chemsys in tried["chemsys"].unique().sort()}
    return [
        _row(label, tried, [name for name, elements in systems.items() if has(elements)]) for label, has in _tests()
    ]


def _row(label: str, tried: pl.DataFrame, systems: list[str]) -> dict[str, Any]:
    inside = tried.filter(pl.col("chemsys").is_in(systems))
    return {"label": label, "tried": len(inside), "found": int(inside["is_discovery"].sum())}


def _tests() -> list[tuple[str, Callable[[list[str]], bool]]]:
    ends = [f"{end:,.0f}" for end in PRICE_CLASSES]
    ranges = [f"below {ends[0]}", *(f"{low} to {high}" for low, high in pairwise(ends))]
    ranges.append(f"{ends[-1]} or more")
    prices = [(f"dearest element: {text} USD/kg", _in_price_class(n)) for n, text in enumerate(ranges)]
    return [
        ("toxic: As, Be, Cd, Hg, Pb, Tl", lambda elements: not TOXIC.isdisjoint(elements)),
        ("radioactive", lambda elements: not radioactive_elements().isdisjoint(elements)),
        (f"scarce: below {SCARCE:g} mg/kg of the crust", _any(lambda z: crustal_abundances().get(z, 0.0) < SCARCE)),
        (
            f"from few countries: index above {CONCENTRATED:,.0f}",
            _any(lambda z: supply_concentrations().get(z, 0.0) > CONCENTRATED),
        ),
        *prices,
        ("none of its elements has a price", _in_price_class(None)),
    ]


def _any(has: Callable[[str], bool]) -> Callable[[list[str]], bool]:
    return lambda elements: any(has(symbol) for symbol in elements)


def _in_price_class(number: int | None) -> Callable[[list[str]], bool]:
    return lambda elements: price_class(elements) == number

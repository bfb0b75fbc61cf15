"""A search in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text(content: Mapping[str, Any]) -> str:
    """What was screened, how fast, and what the cascade loses.

    Args:
        content: Of ``screening.json``.
    """
    rate = content["candidates"] / content["seconds"] if content["seconds"] else 0.0
    return "\n".join(
        [
            f"{content['candidates']:,} candidates of {content['children']:,} children in {content['units']} of "
            f"{content['of_units']} units, {content['seconds']:.0f} s in this run ({rate:,.0f} a second)",
            f"{content['judged']:,} reached all networks; {content['kept']:,} kept",
            _cascade(content["cascade"]),
        ]
    )


def _cascade(measured: Mapping[str, Any]) -> str:
    if not measured["thresholds"]:
        return "no cascade: all networks judged every candidate"
    recall, steps = measured["recall"], measured["thresholds"].items()
    return (
        f"cascade: passes up to {', '.join(f'{name} {value:.3f} eV/atom' for name, value in steps)}; of the best in a "
        f"sample of {measured['n_sample']:,} it keeps {100 * recall['rate']:.1f} % [{100 * recall['low']:.1f}, "
        f"{100 * recall['high']:.1f}], n = {recall['n']}"
    )

"""Formulas, space groups and numbers in HTML, in the notation of chemistry."""

from __future__ import annotations

import json
import re

from markupsafe import Markup, escape

NOTHING = "–"

REASONS = {
    "ok": "accepted",
    "not_converged": "relaxation did not converge",
    "not_finite": "energy or cell is not finite",
    "energy_artefact": "energy is an artifact of the potential",
    "exploded": "cell exploded",
    "collapsed": "cell collapsed",
    "atoms_overlap": "atoms overlap",
    "implausible": "formation energy is implausible",
    "out_of_memory": "not enough memory",
    "worker_died": "process was killed",
    "timed_out": "time limit",
    "failed": "calculation failed",
}


def formula(text: str) -> Markup:
    """A reduced formula with subscripts."""
    return Markup(re.sub(r"(?<=[A-Za-z)\]])(\d+(?:\.\d+)?)", r"<sub>\1</sub>", str(escape(text))))  # noqa: S704 - escaped before


def decomposition(text: str) -> Markup:
    """Decomposition products with subscripts; amounts stay as they are."""
    return formula(text) if text else Markup(NOTHING)  # noqa: S704 - a constant


def spacegroup(number: int) -> Markup:
    """Symbol of a space group, with overlines and screw-axis subscripts."""
    import moyopy

    symbol = moyopy.SpaceGroupType(number).hm_short.replace(" ", "")
    barred = re.sub(r"-(\d)", r'<span class="over">\1</span>', symbol)
    return Markup(re.sub(r"_(\d)", r"<sub>\1</sub>", barred))  # noqa: S704 - symbols of a table


def prototype(label: str) -> Markup:
    """The readable head of a prototype label: anonymous formula and Pearson symbol."""
    anonymous, *pearson = label.split("_")[:2]
    return Markup(" ").join([formula(anonymous), *map(escape, pearson)])


def origin(generator: str, provenance: str) -> str:
    """Which generator proposed a candidate, and from what, e.g. ``substitution: parent mp-1, substitution Na>K``."""
    details = ", ".join(f"{key} {value}" for key, value in json.loads(provenance).items())
    return f"{generator}: {details}" if details else generator


def milli(energy: float | None, digits: int = 0) -> str:
    """An energy in meV/atom, without a negative zero."""
    if energy is None:
        return NOTHING
    text = f"{1e3 * energy:.{digits}f}"
    return (text.replace("-", "", 1) if float(text) == 0 else text).replace("-", "−")


def electronvolts(energy: float | None) -> str:
    """An energy in eV/atom."""
    return NOTHING if energy is None else f"{energy:.3f}".replace("-", "−")


def percent(share: float | None) -> str:
    """A share as a percentage."""
    return NOTHING if share is None else f"{share:.0%}"


def interval(low: float | None, high: float | None) -> str:
    """A 95 % interval of shares, e.g. ``12–34%``; empty where there is none."""
    return "" if low is None or high is None else f"{100 * low:.0f}–{100 * high:.0f}%"


def reason(status: str) -> str:
    """Why a candidate was rejected, in words; text after a colon is dropped."""
    head = status.split(":", 1)[0]
    return REASONS.get(head, head.replace("_", " "))

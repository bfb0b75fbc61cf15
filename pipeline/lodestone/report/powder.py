"""The powder pattern of a find: X-rays of copper, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import polars as pl

if TYPE_CHECKING:
    from pymatgen.core import Structure

WAVELENGTH = "CuKa"  # 1.54184 Å, the weighted mean of both lines
RANGE = (5.0, 90.0)  # two theta, degrees
_WIDTH, _HEIGHT, _LEFT, _TOP, _BASE = 720, 260, 56, 40, 210


def powder_pattern(structure: Structure, angles: tuple[float, float] = RANGE) -> pl.DataFrame:
    """Reflections of an ideal powder, without thermal motion, texture or background.

    Args:
        structure: In the cell that the indices shall refer to.
        angles: Range of two theta, degrees.

    Returns:
        ``two_theta_deg``, ``d_spacing_angstrom``, ``intensity`` (the strongest is 100), ``hkl`` and ``multiplicity``
        (of reflections at one angle, one after the other).
    """
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    pattern = XRDCalculator(wavelength=WAVELENGTH).get_pattern(structure, two_theta_range=angles)
    return pl.DataFrame(
        {
            "two_theta_deg": [round(float(x), 4) for x in pattern.x],
            "d_spacing_angstrom": [round(float(x), 5) for x in pattern.d_hkls],
            "intensity": [round(float(y), 3) for y in pattern.y],
            "hkl": ["; ".join(_indices(one["hkl"]) for one in family) for family in pattern.hkls],
            "multiplicity": ["; ".join(str(int(one["multiplicity"])) for one in family) for family in pattern.hkls],
        },
        schema_overrides={"two_theta_deg": pl.Float64, "d_spacing_angstrom": pl.Float64, "intensity": pl.Float64},
    )


def picture(pattern: pl.DataFrame, title: str, angles: tuple[float, float] = RANGE) -> str:
    """A pattern as SVG: one stick for each reflection, angles of the strongest beside them."""
    low, high = angles

    def at(angle: float) -> float:
        return _LEFT + (angle - low) / (high - low) * (_WIDTH - _LEFT - 16)

    rows = list(pattern.select("two_theta_deg", "intensity", "hkl").iter_rows())
    sticks = [_stick(at(angle), intensity, f"{angle:.2f} deg: {hkl}") for angle, intensity, hkl in rows]
    ticks = [_tick(at(angle), angle) for angle in range(int(-(-low // 10) * 10), int(high) + 1, 10)]
    return "\n".join([*_frame(title), *ticks, *sticks, *_labels(rows, at), "</svg>"]) + "\n"


def _indices(hkl: Iterable[int]) -> str:
    return " ".join(str(int(index)) for index in hkl)


def _frame(title: str) -> list[str]:
    middle = (_LEFT + _WIDTH - 16) / 2
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#1f2933">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="18" font-weight="bold">{escape(title)}</text>',
        f'<text x="{middle:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">2θ (degrees), Cu Kα</text>',
        f'<text x="18" y="{(_TOP + _BASE) / 2:.1f}" text-anchor="middle" '
        f'transform="rotate(-90 18 {(_TOP + _BASE) / 2:.1f})">intensity</text>',
        f'<path d="M{_LEFT} {_TOP}V{_BASE}H{_WIDTH - 16}" fill="none" stroke="#7b8794"/>',
    ]


def _stick(x: float, intensity: float, tip: str) -> str:
    top = _BASE - intensity / 100 * (_BASE - _TOP - 14)
    return (
        f'<path d="M{x:.1f} {_BASE}V{top:.1f}" stroke="#0072b2" stroke-width="1.5"><title>{escape(tip)}</title></path>'
    )


def _tick(x: float, angle: int) -> str:
    return (
        f'<path d="M{x:.1f} {_BASE}v5" stroke="#7b8794"/>'
        f'<text x="{x:.1f}" y="{_BASE + 18}" text-anchor="middle" font-size="11">{angle}</text>'
    )


def _labels(
    rows: Sequence[tuple[float, float, str]], at: Callable[[float], float], most: int = 6, apart: float = 30.0
) -> list[str]:
    """Angles of the strongest reflections, as many as fit beside each other."""
    placed: list[float] = []
    labels = []
    for angle, intensity, _ in sorted(rows, key=lambda row: (-row[1], row[0])):
        x = at(angle)
        if len(placed) < most and all(abs(x - other) >= apart for other in placed):
            placed.append(x)
            y = _BASE - intensity / 100 * (_BASE - _TOP - 14) - 4
            labels.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="10">{angle:.1f}</text>')
    return labels

"""What the plots of the benchmarks have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.tables.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STRUCTURE, COMPOSITION, BOTH = "#c2410c", "#f59e0b", "#7c2d12"
_STYLE = {"font.family": "DejaVu Sans", "font.size": 9, "svg.hashsalt": "lodestone", "axes.unicode_minus": False}


@contextmanager
def panels(
    count: int, width: float, height: float, *, one_scale: bool = True
) -> Iterator[tuple[Figure, Sequence[Axes]]]:
    """A figure with panels side by side, closed at the end.

    Args:
        count: How many.
        width: Of the figure, inches.
        height: Likewise.
        one_scale: Whether they have one scale of y.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(_STYLE):
        figure, axes = pyplot.subplots(
            1, count, figsize=(width, height), sharey=one_scale, squeeze=False, layout="constrained"
        )
        yield figure, axes[0]
        pyplot.close(figure)


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the end of the file name tells the format, and equal figures give equal bytes."""
    kind, undated = path.suffix.removeprefix("."), {"Date": None} if path.suffix == ".svg" else {}
    write_atomically(path, lambda target: figure.savefig(target, format=kind, dpi=160, metadata=undated))


def plain_logarithms(panel: Axes, x: Sequence[float], y: Sequence[float], **limits: Any) -> None:
    """Logarithmic axes with numbers that people read.

    Args:
        panel: Where.
        x: Ticks; those beyond the limits are left out.
        y: Likewise.
        **limits: ``xlim`` and ``ylim``.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    panel.set(xscale="log", yscale="log", **limits)
    low, high = limits["xlim"]
    panel.set_xticks([tick for tick in x if low <= tick <= high])
    low, high = limits["ylim"]
    panel.set_yticks([tick for tick in y if low <= tick <= high])
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e4 else f"{value:,.0f}"))
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(NullLocator())
    panel.grid(color="#e7e5e4", linewidth=0.7)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)

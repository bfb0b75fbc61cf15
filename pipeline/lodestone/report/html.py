"""Self-contained HTML: a filled template from this folder, and figures as fragments of a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_PLOT = {"displayModeBar": False, "responsive": True}


def page(template: str, content: Mapping[str, Any]) -> str:
    """Render a template: the page makes no requests, and equal content gives equal bytes.

    Args:
        template: File name in this folder.
        content: Values for the template; a missing name is an error.
    """
    import jinja2
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(plotly=get_plotlyjs(), **content) + "\n"


def plot(chart: Figure, name: str) -> str:
    """A figure as an HTML fragment, with an identifier that is the same in every run."""
    return str(chart.to_html(full_html=False, include_plotlyjs=False, div_id=f"plot-{name}", config=_PLOT))

"""Self-contained HTML: a filled template from this folder, and figures as fragments of a page."""

from __future__ import annotations

import json
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

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(script=script, **content) + "\n"


def script(name: str) -> str:
    """A JavaScript library of the folder `vendor`, which says where they are from."""
    return (Path(__file__).parent / "vendor" / name).read_text(encoding="utf-8")


def plot(chart: Figure, name: str) -> str:
    """A figure as an HTML fragment, with an identifier that is the same in every run."""
    return str(chart.to_html(full_html=False, include_plotlyjs=False, div_id=f"plot-{name}", config=_PLOT))


def embedded(content: object) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(content, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c")

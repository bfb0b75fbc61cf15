"""The libraries that a report carries are those of npm, unchanged."""

import hashlib

import pytest
from plotly.offline import get_plotlyjs_version

from lodestone.report.html import script

SHA256 = {
    "plotly-cartesian.min.js": "79542150855a52c567260e3137095dbe2b744e6d702a5cabe67da246942fba7a",
    "3Dmol-min.js": "f7cc78921ae72e7623e89cdd111434f58c2efddd2ffda1cd212644b406fb8016",
}


@pytest.mark.parametrize("name", SHA256)
def test_no_byte_has_changed(name: str) -> None:
    assert hashlib.sha256(script(name).encode()).hexdigest() == SHA256[name]


def test_plotly_js_is_that_of_the_python_package_which_writes_its_figures() -> None:
    assert f"v{get_plotlyjs_version()}\n" in script("plotly-cartesian.min.js")[:200]

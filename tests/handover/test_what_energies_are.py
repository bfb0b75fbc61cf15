"""Energies are named by what made them, and nothing is claimed that nobody stated."""

import pytest

from lodestone.handover.energies import NOT_STATED, Energies


@pytest.mark.parametrize(
    ("scale", "method", "source", "expected"),
    [
        ("oracle", "chgnet-0.3.0", "chgnet-0.3.0", ("chgnet-0.3.0", "PBE, PBE+U", "MP2020 (learned)")),
        ("oracle", "chgnet-r2scan", "chgnet-0.3.0", ("chgnet-r2scan", "r2SCAN", NOT_STATED)),
        (
            "oracle",
            "chgnet-0.3.0//chgnet-r2scan",
            "x",
            ("chgnet-0.3.0//chgnet-r2scan", "PBE, PBE+U", "MP2020 (learned)"),
        ),
        ("oracle", "sevennet-l3i5-pbe", "chgnet-0.3.0", ("sevennet-l3i5-pbe", "PBE, PBE+U", "MP2020")),
        ("oracle", "sevennet-mf-0-r2scan", "dft-pbe", ("sevennet-mf-0-r2scan", "r2SCAN", NOT_STATED)),
        ("oracle", "my-potential", "dft-pbe", ("my-potential", NOT_STATED, NOT_STATED)),
        ("source", "chgnet-0.3.0", "dft-pbe", ("chgnet-0.3.0, on the scale of dft-pbe", "PBE", "MP2020")),
    ],
)
def test_energies_are_what_was_stated(scale, method, source, expected):
    provenance = {"label_method": source, "correction_scheme": "MP2020"}
    energies = Energies.of(scale, {"name": method, "caveat": "two\n lines"}, provenance)
    assert (energies.label_method, energies.functional, energies.correction_scheme) == expected
    assert energies.caveat == "two lines"

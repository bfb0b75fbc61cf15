"""What the energies of a campaign are, in the words that every file of a hand-over repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lodestone.vasp.functionals import named_functionals

# A potential has the functional of what it learned from; CHGNet's is that of Deng et al., Nat. Mach. Intell. 5, 1031
# (2023): GGA and GGA+U calculations of the Materials Project.
# SevenNet has learned the same calculations, as DFT gives them; its oracle adds the corrections.
_LEARNED = {"chgnet-0.3.0": ("PBE, PBE+U", "MP2020 (learned)")} | {
    f"sevennet-{weights}-pbe": ("PBE, PBE+U", "MP2020") for weights in ("l3i5", "0", "mf-0")
}
NOT_STATED = "not stated"


@dataclass(frozen=True, kw_only=True)
class Energies:
    """What energies are, and what they are not.

    Attributes:
        label_method: What made them, e.g. ``chgnet-0.3.0``.
        functional: The functional behind them.
        correction_scheme: Their corrections.
        scale: Whose energies are on the hull: ``oracle``, or ``source``, to which those of the oracle were brought.
        caveat: What the oracle says of itself.
    """

    label_method: str
    functional: str
    correction_scheme: str
    scale: str
    caveat: str

    @classmethod
    def of(cls, scale: str, oracle: Mapping[str, Any], provenance: Mapping[str, Any]) -> Energies:
        """From the parameter `label.scale`, the facts of the oracle, and the provenance of the snapshot."""
        method = str(oracle["name"])
        judge, _, _ = method.partition("//")  # a chain is named judge//what relaxed; its energies are the judge's
        functional, scheme = _LEARNED.get(judge, (None, None))
        on_source = str(provenance.get("label_method") or "") if scale == "source" else ""
        named = ", ".join(sorted(named_functionals(on_source or judge)))
        if scale == "source":
            scheme = provenance.get("correction_scheme")
        return cls(
            label_method=f"{method}, on the scale of {on_source}" if on_source not in ("", method) else method,
            functional=(named or functional if on_source else functional or named) or NOT_STATED,
            correction_scheme=str(scheme or NOT_STATED),
            scale=scale,
            caveat=" ".join(str(oracle["caveat"]).split()),
        )

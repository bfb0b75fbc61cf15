"""Who says how sure it is that a find is stable: the ensemble before, the oracle after, and an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lodestone.handover.energies import Energies
from lodestone.report.discoveries import ON_HULL

Verdict = dict[str, Any]
ENSEMBLE, ORACLE, AUDIT = "ensemble", "oracle", "audit"
EVEN = 0.5  # a probability above it says stable


def judges(
    find: Mapping[str, Any], verified: Mapping[str, Any], energies: Energies, audit: Mapping[str, Any] | None
) -> list[Verdict]:
    """The verdicts on a find, each with ``judge``, ``name``, ``says_stable`` and what it is made of.

    Args:
        find: Row of the discoveries.
        verified: Row of the verifications.
        energies: What the energies are.
        audit: Content of `audit.json`; a find that it does not have was not audited.
    """
    verdicts = [_ensemble(verified), _oracle(find, verified, energies)]
    row = next((one for one in (audit or {}).get("discoveries", ()) if _is_of(one, find)), None)
    return [*verdicts, _audited(row, audit)] if row and audit else verdicts


def disagreeing(verdicts: Sequence[Verdict]) -> list[str]:
    """The judges that do not call a find stable."""
    return [verdict["judge"] for verdict in verdicts if not verdict["says_stable"]]


def _is_of(row: Mapping[str, Any], find: Mapping[str, Any]) -> bool:
    """Whether a row of an audit is about a find; identifiers contain a hash of the crystal."""
    return all(row.get(name) == find[name] for name in ("material_id", "formula_pretty"))


def _ensemble(verified: Mapping[str, Any]) -> Verdict:
    """Before the verification, of the unrelaxed structure."""
    energy = "formation_energy_per_atom"
    return {
        "judge": ENSEMBLE,
        "name": f"networks of {verified['round']}, before the verification",
        "says_stable": verified["stability_probability"] > EVEN,
        "stability_probability": verified["stability_probability"],
        "formation_energy_ev_per_atom": verified[f"{energy}_pred"],
        "interval_90_ev_per_atom": [verified[f"{energy}_lower"], verified[f"{energy}_upper"]],
        "energy_above_hull_ev_per_atom": verified["energy_above_hull_pred"],
        "out_of_distribution": [reason for reason in (verified["out_of_distribution"] or "").split(",") if reason],
    }


def _oracle(find: Mapping[str, Any], verified: Mapping[str, Any], energies: Energies) -> Verdict:
    """After relaxation: on the hull at the end of the campaign."""
    return {
        "judge": ORACLE,
        "name": energies.label_method,
        "says_stable": find["energy_above_hull"] <= ON_HULL,
        "formation_energy_ev_per_atom": find["formation_energy_per_atom"],
        "energy_above_hull_ev_per_atom": find["energy_above_hull"],
        "energy_above_hull_at_start_of_round_ev_per_atom": find["energy_above_hull_start"],
        "n_competing_phases": find["n_competing_phases"],
        "n_steps": verified["n_steps"],
        "caveat": energies.caveat,
    }


def _audited(row: Mapping[str, Any], audit: Mapping[str, Any]) -> Verdict:
    """Held against the phases of another table."""
    return {
        "judge": AUDIT,
        "name": f"{audit['oracle'].get('name')} with the phases of {audit['against'].get('file')}",
        "says_stable": bool(row["survives"]),
        "energy_above_hull_ev_per_atom": row["energy_above_hull"],
        "falls_to": row["falls_to"],
        "formula_is_known": row["formula_is_known"],
        "known_as": row["known_as"],
    }

"""Who says that a find is stable: the ensemble before, the oracle after, an audit, further oracles, its phonons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lodestone.handover.energies import Energies
from lodestone.report.discoveries import ON_HULL

Verdict = dict[str, Any]
ENSEMBLE, ORACLE, AUDIT, PHONONS = "ensemble", "oracle", "audit", "phonons"
SECOND = "second_opinion"  # a key that only the verdicts of further oracles have
EVEN = 0.5  # a probability above it says stable


def judges(
    find: Mapping[str, Any],
    verified: Mapping[str, Any],
    energies: Energies,
    *,
    audit: Mapping[str, Any] | None,
    opinions: Mapping[str, Any] | None = None,
    phonons: Mapping[str, Any] | None = None,
) -> list[Verdict]:
    """The verdicts on a find, each with ``judge``, ``name``, ``says_stable`` and what it is made of.

    Args:
        find: Row of the discoveries.
        verified: Row of the verifications.
        energies: What the energies are.
        audit: Content of `audit.json`; a find that it does not have was not audited.
        opinions: Content of `opinions.json`, likewise. An oracle that gives no verdict neither agrees nor disputes: its
            ``says_stable`` is ``None``, and ``reason`` says why.
        phonons: Content of `phonons.json`, likewise.
    """
    verdicts = [_ensemble(verified), _oracle(find, verified, energies)]
    audited, judged = _row_of(find, audit, "discoveries"), _row_of(find, opinions, "finds")
    if audited and audit:
        verdicts.append(_audited(audited, audit))
    if judged and opinions:
        verdicts += [_second(name, said, opinions["oracles"][name]) for name, said in judged["opinions"].items()]
    if phonons and (vibrating := _row_of(find, phonons, "finds")):
        verdicts.append(_dynamical(vibrating, phonons))
    return verdicts


def disagreeing(verdicts: Sequence[Verdict]) -> list[str]:
    """The judges that call a find unstable."""
    return [verdict["judge"] for verdict in verdicts if verdict["says_stable"] is False]


def _row_of(find: Mapping[str, Any], content: Mapping[str, Any] | None, key: str) -> Mapping[str, Any] | None:
    """What a file says about a find, if it says anything."""
    return next((one for one in (content or {}).get(key, ()) if _is_of(one, find)), None)


def _is_of(row: Mapping[str, Any], find: Mapping[str, Any]) -> bool:
    """Whether a row is about a find; identifiers contain a hash of the crystal."""
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


def _second(name: str, said: Mapping[str, Any], facts: Mapping[str, Any]) -> Verdict:
    """By another oracle, on a hull of its own energies."""
    return {
        "judge": name,
        "name": f"{facts['functional']}, on a hull of its own, at the geometries of the campaign's oracle",
        SECOND: True,
        "says_stable": said["says_stable"],
        "energy_above_hull_ev_per_atom": said["energy_above_hull"],
        "n_competing_phases": said["n_competing"],
        "n_missing_phases": said["n_missing"],
        "reason": said["reason"],
        "caveat": facts["caveat"],
    }


def _dynamical(row: Mapping[str, Any], phonons: Mapping[str, Any]) -> Verdict:
    """By its phonons: whether it stays as it is when its atoms are displaced a little."""
    followed = row["followed"]
    return {
        "judge": PHONONS,
        "name": f"dynamically, by the forces of {phonons['oracle']['name']}",
        "says_stable": row["is_stable"],
        "energy_above_hull_ev_per_atom": None,
        "lowest_frequency_thz": row.get("lowest_frequency"),
        "wave_vector": row.get("lowest_q"),
        "reason": row["reason"],
        "followed": followed
        and {
            "gained_ev_per_atom": followed["gained"],
            "space_group_number": followed.get("spacegroup_number"),
            "is_stable": followed["is_stable"],
        },
    }

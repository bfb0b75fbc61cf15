"""A small but valid vasprun.xml, written by hand: what VASP writes of a relaxation, without what nobody reads."""

from __future__ import annotations

from collections.abc import Sequence

from lodestone.crystals.crystal import Crystal

POTENTIALS = {"Na": "Na_pv", "Mn": "Mn_pv", "Y": "Y_sv", "Fe": "Fe_pv", "Li": "Li_sv"}  # of the Materials Project
NELM, NSW = 60, 99
VALENCE = 7  # electrons of each atom, whichever it is


def _vectors(name: str, rows: Sequence[Sequence[float]]) -> str:
    lines = "".join(f"<v> {' '.join(f'{x:.10f}' for x in row)} </v>" for row in rows)
    return f'<varray name="{name}">{lines}</varray>'


def _structure(crystal: Crystal, name: str = "") -> str:
    cell = f"<crystal>{_vectors('basis', crystal.lattice)}</crystal>"
    return f"<structure{name}>{cell}{_vectors('positions', crystal.frac_coords)}</structure>"


def _energy(energy: float) -> str:
    names = ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    return "<energy>" + "".join(f'<i name="{name}">{energy:.10f}</i>' for name in names) + "</energy>"


def vasprun_xml(
    relaxed: Crystal,
    energy: float,
    *,
    initial: Crystal | None = None,
    hubbards: dict[str, float] | None = None,
    gga: str = "--",
    metagga: str = "--",
    potential: str = "PAW_PBE",
    potentials: dict[str, str] | None = None,
    n_electronic: int = 5,
    n_ionic: int = 2,
) -> str:
    """A run that ends with a crystal and its total energy (eV for the cell)."""
    species = relaxed.species
    kinds = list(dict.fromkeys(species))
    us = [(hubbards or {}).get(symbol, 0.0) for symbol in kinds]
    plus_u = "T" if any(us) else "F"
    atoms = "".join(f"<rc><c>{symbol}</c><c>{kinds.index(symbol) + 1}</c></rc>" for symbol in species)
    symbols = [f"{potential} {(potentials or POTENTIALS).get(symbol, symbol)} 06Sep2000" for symbol in kinds]
    types = "".join(
        f"<rc><c>{species.count(symbol)}</c><c>{symbol}</c><c>1.0</c><c>1.0</c><c>{title}</c></rc>"
        for symbol, title in zip(kinds, symbols, strict=True)
    )
    step = f"<scstep>{_energy(energy)}</scstep>" * n_electronic + _structure(relaxed) + _energy(energy)
    arrays = "".join(f'<v name="{name}">{" ".join(map(str, us if name == "LDAUU" else [0.0] * len(us)))}</v>'
                     for name in ("LDAUU", "LDAUJ"))  # fmt: skip
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
<generator><i name="program" type="string">vasp</i><i name="version" type="string">6.4.2</i>
<i name="date" type="string">2026 01 01</i><i name="time" type="string">00:00:00</i></generator>
<incar><i type="logical" name="LDAU">{plus_u}</i>{arrays}<i type="string" name="METAGGA">{metagga}</i></incar>
<kpoints><generation param="Gamma"><v type="int" name="divisions"> 1 1 1 </v></generation>
<varray name="kpointlist"><v> 0.0 0.0 0.0 </v></varray><varray name="weights"><v> 1.0 </v></varray></kpoints>
<parameters><i type="int" name="NELM">{NELM}</i><i type="int" name="NSW">{NSW}</i><i type="int" name="IBRION">2</i>
<i name="NELECT">{VALENCE * len(relaxed)}</i>
<i name="EDIFFG">-0.02</i><i name="AEXX">0.0</i><i name="HFSCREEN">0.0</i><i type="logical" name="LHFCALC">F</i>
<i type="string" name="GGA">{gga}</i><i type="logical" name="LDAU">{plus_u}</i></parameters>
<atominfo><array name="atoms"><set>{atoms}</set></array><array name="atomtypes"><set>{types}</set></array></atominfo>
{_structure(initial or relaxed, ' name="initialpos"')}
{f"<calculation>{step}</calculation>" * n_ionic}
{_structure(relaxed, ' name="finalpos"')}
</modeling>
"""

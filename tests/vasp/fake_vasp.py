"""Does as VASP does, by files alone: reads its four inputs, and writes a run that has relaxed by 1 % of the edges.

The variable ``FAKE_VASP`` says what goes wrong: ``good``, ``electrons``, ``ions``, ``cut``, ``functional``, ``hang``,
``hang_2`` (in the second calculation), ``fail`` or ``silent`` (no output at all). ``FAKE_VASP_JOURNAL`` is a file that
gets a line for each start: the folder, the number of atoms and the length of the first lattice vector.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "snapshot"))

from vasprun_xml import NELM, NSW, vasprun_xml

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS

INPUTS = ("INCAR", "POSCAR", "POTCAR")
SHRINKS = 0.99
ENERGY = -5.0  # eV/atom, before anything else


def read_poscar(text: str) -> Crystal:
    lines = text.splitlines()
    counts = [int(count) for count in lines[6].split()]
    numbers = np.repeat([ATOMIC_NUMBERS[symbol] for symbol in lines[5].split()], counts)
    rows = [[float(x) for x in line.split()[:3]] for line in [*lines[2:5], *lines[8 : 8 + len(numbers)]]]
    return Crystal(float(lines[1]) * np.array(rows[:3]), numbers, rows[3:])


def poscar(crystal: Crystal) -> str:
    kinds = list(dict.fromkeys(crystal.species))
    head = ["written by VASP", "1.0", *(" ".join(f"{x:.12f}" for x in row) for row in crystal.lattice)]
    head += [" ".join(kinds), " ".join(str(crystal.species.count(kind)) for kind in kinds), "Direct"]
    return "\n".join([*head, *(" ".join(f"{x:.12f}" for x in row) for row in crystal.frac_coords)]) + "\n"


def incar() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in Path("INCAR").read_text().splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def energy(crystal: Crystal) -> float:
    """eV for the cell; lower in the smaller cell, so that a second relaxation is seen."""
    return len(crystal) * ENERGY + 0.01 * crystal.volume


def run_of(relaxed: Crystal, start: Crystal, keys: dict[str, str], fault: str) -> str:
    kinds = list(dict.fromkeys(start.species))
    hubbards = [float(u) for u in keys.get("LDAUU", "").split()]
    return vasprun_xml(
        relaxed,
        energy(relaxed),
        initial=start,
        hubbards=dict(zip(kinds, hubbards, strict=False)),
        metagga=keys.get("METAGGA", "--").upper(),
        gga="PS" if fault == "functional" else "--",
        potentials=dict(zip(kinds, re.findall(r"TITEL  = PAW_PBE (\S+)", Path("POTCAR").read_text()), strict=True)),
        n_electronic=NELM if fault == "electrons" else 5,
        n_ionic=NSW if fault == "ions" else 1 if keys["NSW"] == "0" else 2,
    )


def main() -> int:
    fault = os.environ.get("FAKE_VASP", "good")
    if fault == "silent":
        print("vasp_std: error while loading shared libraries", file=sys.stderr)
        return 127
    keys = incar()
    needed = [*INPUTS, *([] if "KSPACING" in keys else ["KPOINTS"])]
    if missing := [name for name in needed if not Path(name).is_file()]:
        print(f"{', '.join(missing)} is missing")
        return 1
    start = read_poscar(Path("POSCAR").read_text())
    with Path(os.environ["FAKE_VASP_JOURNAL"]).open("a") as journal:
        journal.write(f"{Path.cwd().name} {len(start)} {start.lattice[0, 0]:.6f}\n")
    is_second = Path("vasprun.xml.relax1").exists()
    relaxed = start if keys["NSW"] == "0" else Crystal(SHRINKS * start.lattice, start.atomic_numbers, start.frac_coords)
    run = run_of(relaxed, start, keys, fault)
    Path("OUTCAR").write_text("vasp.6.4.2, not really\n")
    Path("OSZICAR").write_text(f"   1 F= {energy(relaxed):.8E} E0= {energy(relaxed):.8E}  d E =0.0\n")
    if fault == "hang" or (fault == "hang_2" and is_second):
        Path("CONTCAR").write_text(poscar(relaxed))
        Path("vasprun.xml").write_text(run[: len(run) // 2])
        child = subprocess.Popen(["sleep", "600"])
        Path("pids").write_text(f"{os.getpid()} {child.pid}")
        signal.pause()
    for name in ("WAVECAR", "CHGCAR", "CHG", "DOSCAR"):
        Path(name).write_text("large")
    Path("CONTCAR").write_text(poscar(relaxed))
    Path("vasprun.xml").write_text(run[:-600] if fault == "cut" else run)
    print(" reached required accuracy")
    if fault == "fail":
        print(" Error EDDDAV: Call to ZHEGV failed. Returncode =")
    return 1 if fault == "fail" else 0


if __name__ == "__main__":
    sys.exit(main())

"""CIF and POSCAR files as crystals, read strictly: what a file leaves open is refused, not guessed.

POSCAR is simple enough to be read here; CIF is read by pymatgen, whose guesses (P1 where symmetry is missing, sites
left out, occupancies of one where they do not parse) are ruled out first by :mod:`lodestone.snapshot.files.cif`.
"""

from __future__ import annotations

import re
from math import cbrt
from pathlib import PurePosixPath

import numpy as np

from lodestone.crystals.arithmetic import determinant, inverse, matmul
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.snapshot.structures import UnreadableStructureError

_POSCAR = re.compile(r"(POSCAR|CONTCAR)([._-].*)?|.*[._-](POSCAR|CONTCAR)|.*\.vasp", re.IGNORECASE)
_MOST_ATOMS = 100_000


def is_structure_file(path: str) -> bool:
    """Whether a file is a CIF (``.cif``) or POSCAR (``POSCAR*``, ``CONTCAR*``, ``.vasp``) by its name."""
    name = PurePosixPath(path).name
    return name.lower().endswith(".cif") or bool(_POSCAR.fullmatch(name))


def name_of(path: str) -> str:
    """Name of the crystal in a file: ``a/mp-1.cif``, ``mp-1.vasp``, ``POSCAR_mp-1`` and ``mp-1/POSCAR`` are mp-1."""
    file = PurePosixPath(path)
    name = re.sub(r"\.(cif|vasp)$", "", file.name, flags=re.IGNORECASE)
    name = re.sub(r"^(POSCAR|CONTCAR)([._-]|$)|[._-](POSCAR|CONTCAR)$", "", name, flags=re.IGNORECASE)
    return name or file.parent.name or file.name


def parse_structure_file(path: str, content: bytes) -> Crystal:
    """Read a CIF or POSCAR.

    Args:
        path: Name of the file, which gives the format.
        content: Its bytes, UTF-8.

    Raises:
        UnreadableStructureError: Says what is wrong.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"the file is no UTF-8 text (byte {error.start}); save it as UTF-8"
        raise UnreadableStructureError(problem) from error
    if not text.strip():
        raise UnreadableStructureError("the file is empty")
    if "\0" in text:
        raise UnreadableStructureError("the file is no UTF-8 text (it holds zero bytes); save it as UTF-8")
    if not path.lower().endswith(".cif"):
        return parse_poscar(text)
    from lodestone.snapshot.files.cif import parse_cif

    return parse_cif(text)


def parse_poscar(text: str) -> Crystal:
    """Read a POSCAR of VASP 5 or later, with the line of element symbols.

    Raises:
        UnreadableStructureError: Says what is wrong.
    """
    lines = [line.split("!")[0].split("#")[0].split() for line in text.splitlines()]
    try:
        lattice = _scaled(np.array([_floats(line, 3) for line in lines[2:5]]).reshape(3, 3), lines[1])
        symbols = [re.split("[_/]", symbol)[0] for symbol in lines[5]]  # of Na_pv or Na/5f2a91 (VASP 6), Na
        numbers = _atomic_numbers(symbols, lines[6])
        start = 8 if lines[7][:1] and lines[7][0][0] in "sS" else 7
        mode = lines[start][0][0]
        rows = lines[start + 1 : start + 1 + len(numbers)]
        points = np.array([_floats(row[:3], 3) for row in rows]).reshape(-1, 3)
    except (ValueError, IndexError) as error:
        if isinstance(error, UnreadableStructureError):
            raise
        raise UnreadableStructureError(f"POSCAR does not parse: {str(error)[:80]}") from error
    if len(points) != len(numbers):
        raise UnreadableStructureError(f"POSCAR has {len(points)} positions for {len(numbers)} atoms: is it truncated?")
    if mode not in "dDcCkK":
        raise UnreadableStructureError(
            f"POSCAR: coordinates are {' '.join(lines[start])[:40]!r}, not Direct or Cartesian"
        )
    return Crystal(lattice[0], numbers, points if mode in "dD" else _fractional(points * lattice[1], lattice[0]))


def _scaled(matrix: np.ndarray, line: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The lattice times its scaling, and the scaling; a negative one is the volume."""
    scaling = _floats(line, 3) if len(line) == 3 else _floats(line[:1], 1)
    if len(scaling) == 1 and scaling[0] < 0:
        volume = abs(determinant(matrix))
        scaling = np.array([cbrt(-scaling[0] / volume) if volume > 0 else 0.0])
    if not (scaling > 0).all():
        raise UnreadableStructureError("POSCAR: the scaling factor is zero, or the lattice spans no volume")
    return matrix * scaling, scaling


def _fractional(points: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    try:
        return matmul(points, inverse(lattice[None])[0])
    except np.linalg.LinAlgError as error:
        raise UnreadableStructureError("lattice vectors span no volume") from error


def _floats(words: list[str], count: int) -> np.ndarray:
    if len(words) < count:
        raise UnreadableStructureError(f"POSCAR: {len(words)} numbers where {count} are expected: is it truncated?")
    if any("_" in word for word in words[:count]):  # Python would accept it as a digit separator
        raise UnreadableStructureError(f"POSCAR: {' '.join(words)[:40]!r} are no numbers")
    return np.array([float(word) for word in words[:count]])


def _atomic_numbers(symbols: list[str], words: list[str]) -> np.ndarray:
    if not symbols or symbols[0].isdigit():
        raise UnreadableStructureError("POSCAR has no line of element symbols (VASP 4): add it above the counts")
    if unknown := [symbol for symbol in symbols if symbol not in ATOMIC_NUMBERS]:
        raise UnreadableStructureError(f"{unknown[0][:40]!r} is no known element")
    counts = [int(word) for word in words]
    if len(symbols) != len(counts) or min(counts) < 1 or sum(counts) > _MOST_ATOMS:
        raise UnreadableStructureError(f"POSCAR: {len(symbols)} elements, counts {' '.join(map(str, counts))[:40]}")
    return np.repeat([ATOMIC_NUMBERS[symbol] for symbol in symbols], counts)

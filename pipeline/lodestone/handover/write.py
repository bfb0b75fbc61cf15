"""Writes a hand-over: a folder for each find, a table of contents, and the database."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lodestone import __version__
from lodestone.errors import LodestoneError
from lodestone.handover import pages
from lodestone.handover.campaign import Finished
from lodestone.handover.database import lines, server_settings
from lodestone.handover.finds import Find, competing, finds, route_table
from lodestone.handover.powder import picture, powder_pattern
from lodestone.handover.structure_files import cif, parsed, poscar
from lodestone.runtime.progress import track
from lodestone.tables.files import read_json, write_atomically

CONTENTS = "index.json"
WRITER = "lodestone handover"
Files = dict[str, str]


def write_handover(campaign: Finished, out: Path) -> int:
    """Write the discoveries of a campaign; the folder appears when all of it has been written.

    Args:
        campaign: With the discoveries to write.
        out: A folder that does not exist, is empty, or is a hand-over of before, which is replaced.

    Returns:
        Number of finds.

    Raises:
        LodestoneError: If the folder holds something else, or cannot be written.
    """
    old = _files_of_before(out)
    staging: list[Path] = []

    def write(folder: Path) -> None:
        staging.append(folder)
        _write(campaign, folder)
        for name in old:
            (out / name).unlink(missing_ok=True)
        for empty in sorted((path for path in out.rglob("*") if path.is_dir()), reverse=True):
            empty.rmdir()

    try:
        write_atomically(out, write)
    finally:
        for folder in staging:
            shutil.rmtree(folder, ignore_errors=True)  # there only after a fault
    return campaign.discoveries.height


def files_of(find: Find) -> Files:
    """Names and contents of the files of one find."""
    name, oracle = find.name, {"name": find.energies.label_method, "caveat": find.energies.caveat}
    text = cif(find.crystal, oracle, _items(find))
    pattern = powder_pattern(parsed(text))
    title = f"{find.formula} ({find.material_id}), calculated"
    files = {
        f"{name}.cif": text,
        f"{name}.POSCAR": poscar(find.crystal, f"{find.formula} {find.material_id} predicted by {oracle['name']}"),
        f"{name}-powder.csv": pattern.write_csv(),
        f"{name}-powder.svg": picture(pattern, title),
        f"{name}-competing-phases.csv": competing(find).write_csv(),
        f"{name}-reactions.csv": route_table(find).write_csv(),
    }
    files[f"{name}.json"] = _json(facts(find) | {"files": sorted(files)})
    return files | {"index.html": pages.find_page(find, sorted(files))}


def facts(find: Find) -> dict[str, Any]:
    """What is known of a find, for JSON."""
    row, energies = find.row, find.energies
    return {
        "material_id": find.material_id,
        "formula": find.formula,
        "is_a_prediction": True,
        "chemical_system": row["chemsys"],
        "n_sites": row["nsites"],
        "space_group_number": row["spacegroup_number"],
        "prototype": row["prototype"],
        "proposed_by": {"generator": row["generator"], **json.loads(row["provenance"])},
        "round": row["round"],
        "acquired_by": row["acquired_by"],
        "energies": vars(energies)
        | {
            "formation_energy_ev_per_atom": row["formation_energy_per_atom"],
            "energy_ev_per_atom": row["energy_per_atom"],
            "energy_above_hull_ev_per_atom": row["energy_above_hull"],
        },
        "decomposition": find.decomposition.facts(),
        "polymorphs": find.system.polymorphs(row),
        "reactions": [
            one.reaction.facts() | {"kind": one.kind, "precursors": list(one.precursors)} for one in find.routes
        ],
        "hazards": find.hazards,
        "judges": list(find.verdicts),
        "disputed_by": find.disagreeing,
    }


def _items(find: Find) -> dict[str, Any]:
    """Data items of the CIF; energies in eV/atom."""
    row, energies = find.row, find.energies
    return {
        "material_id": find.material_id,
        "is_a_prediction": True,
        "label_method": energies.label_method,
        "functional": energies.functional,
        "correction_scheme": energies.correction_scheme,
        "formation_energy_per_atom": row["formation_energy_per_atom"],
        "energy_above_hull": row["energy_above_hull"],
        "energy_above_hull_start": row["energy_above_hull_start"],
        "decomposition_energy": round(0.0 - find.decomposition.energy_per_atom, 6),
        "decomposition": find.decomposition.equation,
        "stability_probability": find.verdicts[0]["stability_probability"],
        "disputed_by": ", ".join(find.disagreeing) or "nobody who judged",
        "energy_unit": "eV per atom",
        "caveat": energies.caveat,
    }


def _write(campaign: Finished, folder: Path) -> None:
    folder.mkdir()
    kept, contents = [], []
    for find in track(finds(campaign), campaign.discoveries.height, "handing over"):
        files = files_of(find)
        _write_texts({f"{find.folder}/{name}": text for name, text in files.items()}, folder)
        contents.append(_entry(find, sorted(files)))
        kept.append(find)
    top = {
        "finds.jsonl": "".join(f"{line}\n" for line in lines(kept)),
        "optimade.json": _json(server_settings()),
        "index.html": pages.contents_page(kept, campaign),
    }
    listed = [*top, CONTENTS, *(f"{one['folder']}/{name}" for one in contents for name in one["files"])]
    about = {"written_by": WRITER, "version": __version__, "energies": vars(campaign.energies), "n_finds": len(kept)}
    top[CONTENTS] = _json(about | {"finds": contents, "files": sorted(listed)})
    _write_texts(top, folder)


def _entry(find: Find, files: list[str]) -> dict[str, Any]:
    best = find.routes[0].reaction.equation if find.routes else None
    return {
        "material_id": find.material_id,
        "formula": find.formula,
        "folder": find.folder,
        "files": files,
        "energy_above_hull_ev_per_atom": find.row["energy_above_hull"],
        "energy_above_hull_at_start_of_round_ev_per_atom": find.row["energy_above_hull_start"],
        "decomposition": find.decomposition.equation,
        "largest_driving_force": best,
        "disputed_by": find.disagreeing,
        **find.hazards,
    }


def _write_texts(texts: Mapping[str, str], folder: Path) -> None:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _files_of_before(out: Path) -> list[str]:
    """Files of a hand-over that is there; none where there is nothing."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return []
    listed = _listed(out)
    present = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_symlink() or not path.is_dir())
    strange = sorted(set(present) - set(listed))
    if strange or not listed:
        what = strange[0] if strange else "no hand-over"
        raise LodestoneError(f"{out} holds something else: {what}", "name another folder by --out, or empty this one")
    return present


def _listed(out: Path) -> list[str]:
    """What the table of contents of a hand-over lists; nothing where there is none."""
    content: Any = read_json(out / CONTENTS) if (out / CONTENTS).is_file() else None
    ours = isinstance(content, dict) and content.get("written_by") == WRITER
    return [str(name) for name in content["files"]] if ours else []


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"

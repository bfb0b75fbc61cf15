"""Writes a hand-over: a folder for each find, a table of contents, and the database."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lodestone import __version__
from lodestone.errors import LodestoneError
from lodestone.handover import pages
from lodestone.handover.campaign import Finished
from lodestone.handover.database import lines, server_settings
from lodestone.handover.files import files_of, json_text
from lodestone.handover.finds import Find, finds
from lodestone.runtime.progress import track
from lodestone.tables.files import read_json, write_atomically

CONTENTS = "index.json"
WRITER = "lodestone handover"


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
        "optimade.json": json_text(server_settings()),
        "index.html": pages.contents_page(kept, campaign),
    }
    listed = [*top, CONTENTS, *(f"{one['folder']}/{name}" for one in contents for name in one["files"])]
    about = {"written_by": WRITER, "version": __version__, "energies": vars(campaign.energies), "n_finds": len(kept)}
    top[CONTENTS] = json_text(about | {"finds": contents, "files": sorted(listed)})
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
        **find.novelty,
        "known_elsewhere": None if find.elsewhere is None else {one.database: one.knows for one in find.elsewhere},
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

"""One folder per parameter file, so that campaigns never overwrite each other's results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lodestone.config.load import PARAMS_FILE, parse_params, read_content
from lodestone.errors import LodestoneError
from lodestone.workspace.template import IGNORED_BY_GIT, for_folder_below

_HEAD = "# Written by `lodestone discover --params {name}`, which writes it again: change {name} instead.\n"


def prepare_campaign(params_file: Path, root: Path = Path()) -> Path:
    """Create or update the folder of a campaign.

    `campaigns/a.yaml` gets the folder `campaigns/a`, with `params.yaml`, and `dvc.yaml` which runs the same code on the
    same inputs. A relative `snapshot.path`, and `label.phases`, start at the root, as in the root's `params.yaml`.

    Args:
        params_file: Parameter file below the root; nothing else may use its name as a folder.
        root: Folder with the `dvc.yaml` of the repository.

    Returns:
        The folder.

    Raises:
        LodestoneError: If the parameters are invalid, the file is outside the root, or the folder holds something else.
    """
    if not (root / "dvc.yaml").is_file():
        remedy = "run from the root of the repository, or from a folder made by `lodestone init`"
        raise LodestoneError(f"{root.resolve()} has no dvc.yaml", remedy)
    folder, content = _folder_of(params_file, root), read_content(params_file)
    parse_params(content, params_file)
    up = os.path.relpath(root.resolve(), folder.resolve())
    name, snapshot = params_file.name, content["snapshot"]
    snapshot["path"] = os.path.normpath(Path(up, snapshot["path"]))
    if content["label"].get("phases"):
        content["label"]["phases"] = os.path.normpath(Path(up, content["label"]["phases"]))
    texts = {
        "params.yaml": _head(name) + _dumped(content),
        "dvc.yaml": _head(name) + for_folder_below((root / "dvc.yaml").read_text(), up),
        ".gitignore": _head(name) + IGNORED_BY_GIT,
    }
    folder.mkdir(exist_ok=True)
    for file, text in texts.items():
        if not (folder / file).is_file() or (folder / file).read_text() != text:
            (folder / file).write_text(text)
    return folder


def share_stores(root: Path = Path()) -> None:
    """Share labels, downloads and checkpoints between campaigns, unless the environment says otherwise."""
    stores = {"LABELS": "labels.sqlite", "DOWNLOADS": "downloads", "CHECKPOINTS": "checkpoints"}
    for variable, name in stores.items():
        os.environ.setdefault(f"LODESTONE_{variable}", str(root.resolve() / ".lodestone" / name))


def root_of(folder: Path) -> Path | None:
    """The root whose campaign a folder holds; ``None`` where the folder was not made for a parameter file."""
    at = folder.resolve()
    if not _is_written_for(at / PARAMS_FILE, f"{at.name}.yaml"):
        return None
    return next((up for up in at.parents if (up / "dvc.yaml").is_file() and (up / PARAMS_FILE).is_file()), None)


def _folder_of(params_file: Path, root: Path) -> Path:
    folder, written = params_file.with_suffix(""), params_file.with_suffix("") / PARAMS_FILE
    if folder == params_file or not folder.resolve().is_relative_to(root.resolve()):
        raise LodestoneError(
            f"{params_file} is no place for a campaign: its folder would be {folder}",
            f"put it into this repository with the ending .yaml, e.g. as campaigns/{params_file.stem}.yaml",
        )
    if _is_written_for(params_file, f"{params_file.resolve().parent.name}.yaml"):
        remedy = f"change and name {params_file.resolve().parent}.yaml, of which it is made"
        raise LodestoneError(f"{params_file} is written by lodestone", remedy)
    is_ours = _is_written_for(written, params_file.name)
    if folder.exists() and not is_ours and any(folder.iterdir()):
        raise LodestoneError(f"{folder} holds something else than this campaign", f"rename it, or {params_file}")
    return folder


def _is_written_for(path: Path, name: str) -> bool:
    return path.is_file() and path.read_bytes().startswith(_head(name).encode())


def _head(name: str) -> str:
    return _HEAD.format(name=name)


def _dumped(content: Any) -> str:
    import yaml

    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

"""The hashes in `dvc.lock`: what each stage read and wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lodestone.errors import LodestoneError
from lodestone.runtime.redaction import public_address

LOCK_FILE = "dvc.lock"
Stages = dict[str, dict[str, Any]]


def stages_of(path: Path) -> Stages:
    """Stages in the order of the file: command, and hash by path of ``deps`` and ``outs``; empty without a file.

    Raises:
        LodestoneError: If the file is damaged.
    """
    import yaml

    if not path.is_file():
        return {}
    try:
        stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        return {str(name): _facts(stage) for name, stage in stages.items()}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise LodestoneError(
            f"{path} cannot be read: {error}", "`dvc repro` writes it anew without the file"
        ) from error


def _facts(stage: Mapping[str, Any]) -> dict[str, Any]:
    hashes = {kind: dict(map(_hash, stage.get(kind, []))) for kind in ("deps", "outs")}
    return {"cmd": stage["cmd"], **hashes}


def _hash(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Path and hash; the kind of the hash is a key of its own, such as ``md5``."""
    return public_address(str(entry["path"])), str(entry.get(str(entry.get("hash", "md5")), "unknown"))

"""Verdicts on disk: each is kept as soon as it exists, so that an interruption costs no more than those in flight."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.potential import Potential
from lodestone.oracles.store import default_path
from lodestone.phonons.settings import PhononSettings
from lodestone.phonons.verdicts import Verdict
from lodestone.tables.files import read_json, write_json

_METHOD = 1  # to be raised by whoever changes what a verdict is


def default_folder() -> Path:
    """`phonons` beside the label store."""
    return default_path().parent / "phonons"


def verdict_key(crystal: Crystal, oracle: Potential, settings: PhononSettings, phonopy: str) -> str:
    """Key of a verdict: content of the crystal, oracle, settings and versions."""
    what = [crystal.digest(), oracle.identity(), asdict(settings), phonopy, _METHOD]
    return hashlib.blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class VerdictStore:
    """A folder with one file for each verdict.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    def get(self, key: str) -> Verdict | None:
        """The verdict of a key, or ``None``.

        Raises:
            LodestoneError: If its file is damaged.
        """
        path = self._path(key)
        if not path.is_file():
            return None
        content = read_json(path)
        if not isinstance(content, dict) or "is_stable" not in content:
            raise LodestoneError(f"{path} holds no verdict", "delete it; it is then computed again")
        return content

    def put(self, key: str, verdict: Verdict) -> None:
        """Keep one durably before returning."""
        write_json(verdict, self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

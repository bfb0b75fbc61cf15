"""A generator for a test: it proposes what was hidden of a list of entries, stretched, as nothing has relaxed yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lodestone.config.discovery import GeneratorParams
from lodestone.config.registry import GENERATORS
from lodestone.discovery.generators.base import Known, Proposal
from lodestone.snapshot.structures import parse_structure


class HiddenParams(GeneratorParams):
    """Where they are."""

    file: Path


@GENERATORS.register("hidden", settings=HiddenParams)
@dataclass(frozen=True)
class HiddenGenerator:
    settings: HiddenParams

    def propose(self, known: Known, rng: np.random.Generator, limit: int) -> Iterator[Proposal]:
        entries = json.loads(self.settings.file.read_text())
        for index in rng.permutation(len(entries)).tolist():
            crystal = parse_structure(entries[index]["structure"])
            yield Proposal.of(crystal.scaled_to(1.1 * crystal.volume), entry=entries[index]["entry_id"])

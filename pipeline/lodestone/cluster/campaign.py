"""The campaign of this folder, opened for the batch loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lodestone.cluster.imports import Bounds
from lodestone.cluster.results import Kind
from lodestone.cluster.waiting import Chosen, chosen_candidates, rounds_with_candidates
from lodestone.config.load import PARAMS_FILE, load_params
from lodestone.config.params import Params
from lodestone.config.rounds import round_names
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Oracle
from lodestone.oracles.external import ExternalOracle
from lodestone.oracles.registry import make_oracle
from lodestone.oracles.store import LabelStore, default_path
from lodestone.schemas import References
from lodestone.tables.files import read_table
from lodestone.tables.layout import Layout


@dataclass(frozen=True)
class Opened:
    """Candidates of one or all rounds, with the store of their labels.

    Attributes:
        params: Parameters of the campaign.
        chosen: What the rounds have chosen.
        oracle: Who verifies them.
        store: Open as long as the context is.
    """

    params: Params
    chosen: list[Chosen]
    oracle: Oracle
    store: LabelStore

    @property
    def kind(self) -> Kind:
        """What the energies of imported results must be.

        Raises:
            LodestoneError: If the campaign's oracle computes its labels itself.
        """
        if not isinstance(self.oracle, ExternalOracle):
            raise LodestoneError(
                f"{PARAMS_FILE}: the oracle {self.oracle.name} computes its labels itself; none can be imported",
                "set oracle.name: external, with label.scale: source",
            )
        return Kind(self.oracle.name, self.oracle.correction_scheme)

    @property
    def bounds(self) -> Bounds:
        """Which energies are plausible."""
        return Bounds(read_table(Layout().references, References), self.params.validate_.formation_energy)


@contextmanager
def opened_round(name: str) -> Iterator[Opened]:
    """What one round has chosen.

    Raises:
        LodestoneError: If there is no such round, or it has not chosen yet.
    """
    params = load_params()
    names = round_names(params.rounds)
    if name not in names:
        raise LodestoneError(f"{PARAMS_FILE} has no round {name!r}", f"it has {', '.join(names)}")
    oracle = make_oracle(params.oracle)
    with LabelStore(default_path()) as store:
        yield Opened(params, chosen_candidates(Layout().round(name), oracle, store), oracle, store)


@contextmanager
def opened_rounds() -> Iterator[Opened]:
    """What all rounds so far have chosen.

    Raises:
        LodestoneError: If none has.
    """
    params = load_params()
    oracle = make_oracle(params.oracle)
    with LabelStore(default_path()) as store:
        rounds = list(rounds_with_candidates(Layout(), round_names(params.rounds)))
        chosen = [candidate for files in rounds for candidate in chosen_candidates(files, oracle, store)]
        if not rounds:
            raise LodestoneError("no round has chosen candidates yet", "run `lodestone discover` first")
        yield Opened(params, chosen, oracle, store)

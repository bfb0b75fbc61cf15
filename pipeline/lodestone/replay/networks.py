"""Networks of a replay: trained once on the known crystals, then fine-tuned on what each round reveals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch

from lodestone.config.sections import GeometryParams
from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.models.inference import NetworkInputs
from lodestone.models.weights import SavedView, load_view, save_view
from lodestone.replay.preparation import Inputs, Prepared, PreparedView
from lodestone.runtime.seeds import child_seed
from lodestone.training.data import Examples, LabelledCrystals, TrainingData, examples_of
from lodestone.training.train import fit_prepared

_WATCHED = 200  # validation crystals that a short training looks at


@dataclass(frozen=True)
class Revealed:
    """Pool crystals that the oracle has labelled.

    Attributes:
        names: Their identifiers.
        initial: Their initial structures.
        relaxed: What they relax to.
        energies: Their formation energies, shape ``(n,)``, eV/atom.
    """

    names: Sequence[str] = ()
    initial: Sequence[Crystal] = ()
    relaxed: Sequence[Crystal] = ()
    energies: np.ndarray = field(default_factory=lambda: np.empty(0))

    def __len__(self) -> int:
        return len(self.names)

    def joined(self, more: Revealed) -> Revealed:
        """These and more."""
        return Revealed(
            names=[*self.names, *more.names],
            initial=[*self.initial, *more.initial],
            relaxed=[*self.relaxed, *more.relaxed],
            energies=np.concatenate([self.energies, more.energies]),
        )


@dataclass(frozen=True)
class Outputs:
    """What the networks of one view say.

    Attributes:
        validation: Predictions for the validation crystals, shape ``(m, v)``, eV/atom.
        pool: Those for the pool, shape ``(m, n)``.
        latents: Latent vectors of ``sample``, ``validation`` and ``pool``, by these names.
    """

    validation: np.ndarray
    pool: np.ndarray
    latents: Mapping[str, np.ndarray]

    def of(self, rows: np.ndarray) -> Outputs:
        """The same for some crystals of the pool."""
        latents = {**self.latents, "pool": self.latents["pool"][rows]}
        return replace(self, pool=self.pool[:, rows], latents=latents)


def pretrained(view: PreparedView, seed: int, folder: Path) -> SavedView:
    """Networks of one view that have learned the known crystals; kept in a folder, and read again from there.

    Args:
        view: Prepared data.
        seed: Of these networks.
        folder: Networks of these data, parameters and seed, under a name that tells them.
    """
    place = folder / f"{view.data.view}-{view.data.digest[:16]}-{seed}"
    if (place / "config.json").is_file():  # written last
        return load_view(place)
    saved = fit_prepared(view.data, view.params, view.baseline, seed=child_seed(seed, "replay", view.data.view))
    save_view(saved, place)
    return saved


def fine_tuned(view: PreparedView, saved: SavedView, revealed: Revealed, seed: int) -> SavedView:
    """The networks after they have learned what was revealed, and some of the known crystals again.

    Args:
        view: Prepared data.
        saved: Networks of the last round.
        revealed: All that was revealed so far.
        seed: Of this round.
    """
    baseline = saved.baseline.including(atomic_fractions([crystal.atomic_numbers for crystal in revealed.relaxed]))
    structures = revealed.initial if isinstance(view.params, GeometryParams) else ()
    new = LabelledCrystals(revealed.relaxed, revealed.energies, structures)
    train, watched = view.data.train, view.data.validation
    generator = torch.Generator().manual_seed(seed)
    again = torch.randperm(len(train), generator=generator)[: view.params.rehearsed]  # so that they are not forgotten
    data = TrainingData(
        view=view.data.view,
        train=train.subset(again).joined(examples_of(view.data.view, view.params, new, baseline)),
        validation=_head(watched),
        scale=baseline.scale,
        digest=blake2b(f"{view.data.digest} {seed} {revealed.names}".encode(), digest_size=16).hexdigest(),
    )
    return fit_prepared(data, view.params, baseline, start=saved.members, seed=seed)


def outputs(saved: SavedView, prepared: Prepared, pool: Inputs) -> Outputs:
    """Ask the networks of one view."""
    inputs = {"sample": prepared.sample, "validation": prepared.validation, "pool": pool}
    shown = {name: NetworkInputs(saved, one.crystals, one.datasets[saved.view]) for name, one in inputs.items()}
    return Outputs(
        validation=shown["validation"].members(),
        pool=shown["pool"].members(),
        latents={name: one.latents() for name, one in shown.items()},
    )


def _head(examples: Examples) -> Examples:
    return examples.subset(torch.arange(min(len(examples), _WATCHED)))

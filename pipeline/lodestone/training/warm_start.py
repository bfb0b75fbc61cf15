"""Networks that learned labels of another kind, as a start."""

from __future__ import annotations

from dataclasses import replace

from lodestone.models.baseline import ElementBaseline
from lodestone.models.inference import predict_members
from lodestone.models.weights import SavedView
from lodestone.training.data import LabelledCrystals


def to_other_labels(saved: SavedView, train: LabelledCrystals) -> SavedView:
    """The same networks, with their linear part moved to labels of another kind.

    Two functionals, or a potential and what it learned from, differ mostly by a sum over elements. Fitted beforehand,
    it need not be unlearned by the networks.

    Args:
        saved: Networks that learned labels of one kind.
        train: Crystals with labels of the other.
    """
    members = predict_members(saved, train.crystals)
    difference = ElementBaseline.fit(train.fractions(), train.energies - members.mean(axis=0))
    coefficients = saved.baseline.coefficients + difference.coefficients
    return replace(saved, baseline=replace(saved.baseline, coefficients=coefficients))

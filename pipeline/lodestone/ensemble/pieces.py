"""Predictions for many crystals, a piece on each core, or on each worker where the executor has other machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.ensemble.ensemble import Ensemble
from lodestone.ensemble.predictor import FORMULA, Prediction
from lodestone.models.devices import chosen_device
from lodestone.runtime.executor import chosen_executor, run_all

PIECE = 2_560  # crystals; ten whole batches of the networks, so that predictions are the same to the bit


@dataclass(frozen=True)
class _Predict:
    ensemble: Ensemble
    input_structure: str

    def __call__(self, crystals: Sequence[Crystal]) -> Prediction:
        if self.input_structure == FORMULA:
            return self.ensemble.predict_formulas(crystals)
        return self.ensemble.predict(crystals, self.input_structure)


def predict_in_pieces(
    ensemble: Ensemble, crystals: Sequence[Crystal], input_structure: str, *, piece: int = PIECE
) -> Prediction:
    """What ``ensemble.predict`` or ``ensemble.predict_formulas`` returns; of few crystals, or on a GPU, at once.

    Args:
        ensemble: Sent to each worker once.
        crystals: Crystals to predict.
        input_structure: ``relaxed``, ``unrelaxed``, or ``formula`` for crystals of which only the elements are read.
        piece: Crystals that a worker predicts at a time.
    """
    predict = _Predict(ensemble, input_structure)
    if len(crystals) <= piece or (chosen_executor() is None and chosen_device().type != "cpu"):
        return predict(crystals)
    pieces = {str(start): crystals[start : start + piece] for start in range(0, len(crystals), piece)}
    predicted = dict(run_all(predict, pieces))
    return joined([predicted[start] for start in pieces])


def joined(pieces: Sequence[Prediction]) -> Prediction:
    """Predictions of one ensemble, one after the other."""
    first = pieces[0]
    return replace(
        first,
        mean=np.concatenate([piece.mean for piece in pieces]),
        std=np.concatenate([piece.std for piece in pieces]),
        views={view: np.concatenate([piece.views[view] for piece in pieces]) for view in first.views},
        spread=np.concatenate([piece.spread for piece in pieces]),
        weights={view: np.concatenate([piece.weights[view] for piece in pieces]) for view in first.weights},
        out_of_distribution=[*chain.from_iterable(piece.out_of_distribution for piece in pieces)],
    )

"""An ensemble as an MLflow pyfunc. Registered models name this module as their loader, so it must not be renamed.

A registered model holds state dicts and typed configs (``models/<view>/``, ``ensemble.json``,
``out_of_distribution.safetensors``), never a pickle.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from lodestone.ensemble.ensemble import Ensemble


class EnsembleModel:
    """Predicts formation energies of crystals given as rows.

    Args:
        ensemble: The views and how they are combined.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict formation energies, eV/atom.

        Args:
            model_input: Columns ``lattice`` (9 numbers, Å), ``atomic_numbers`` (n) and ``frac_coords`` (3 n).
            params: ``input_structure``: ``relaxed`` (default), or ``unrelaxed``.

        Returns:
            One row per crystal: the columns of :meth:`lodestone.ensemble.predictor.Prediction.columns`.
        """
        import pandas as pd

        from lodestone.crystals.crystal import Crystal

        rows = zip(*(model_input[name] for name in ("lattice", "atomic_numbers", "frac_coords")), strict=True)
        input_structure = (params or {}).get("input_structure", "relaxed")
        predicted = self.ensemble.predict([Crystal(*row) for row in rows], input_structure)
        return pd.DataFrame(predicted.columns().to_dict(as_series=False), index=model_input.index)


def _load_pyfunc(data_path: str) -> EnsembleModel:
    """Entry point that MLflow calls with the folder of the model."""
    from lodestone.ensemble.ensemble import load_ensemble

    return EnsembleModel(load_ensemble(Path(data_path)))

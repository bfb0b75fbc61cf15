"""An ensemble as an MLflow pyfunc. Registered models name this module as their loader, so it must not be renamed.

A registered model holds state dicts and typed configs (``models/<view>/``, ``ensemble.json``,
``out_of_distribution.safetensors``) and the phases of its hull (``hull.parquet``), never a pickle.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.tracking.model_input import HULL, RequestError, crystals_of, input_structure_of

if TYPE_CHECKING:
    import pandas as pd

    from lodestone.ensemble.ensemble import Ensemble
    from lodestone.stability.hull import ConvexHull

_SERVER = "mlflow.pyfunc.scoring_server"


@dataclass(frozen=True)
class EnsembleModel:
    """Predicts formation energies of crystals, and where they lie above the hull that was known.

    Attributes:
        ensemble: The views and how they are combined.
        hull: Of the crystals known when the ensemble was trained; ``None`` in models of earlier versions.
    """

    ensemble: Ensemble
    hull: ConvexHull | None = None

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict formation energies and hull distances, eV/atom.

        Args:
            model_input: See :func:`lodestone.tracking.model_input.crystals_of`.
            params: ``input_structure``: ``relaxed`` (default), or ``unrelaxed``.

        Returns:
            One row per crystal: the columns of :meth:`lodestone.ensemble.predictor.Prediction.columns`,
            ``energy_above_hull_pred`` with the ends of its 90 % interval (that of the formation energy; the hull is
            taken as exact), and ``stability_probability``, that of lying on or below the hull.

        Raises:
            MlflowException: If a row is no crystal; says which and why, in one sentence.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import BAD_REQUEST

        try:
            return self._answer(model_input, params)
        except RequestError as error:
            raise MlflowException(str(error), error_code=BAD_REQUEST) from None

    def _answer(self, rows: pd.DataFrame, params: dict[str, Any] | None) -> pd.DataFrame:
        import pandas as pd

        from lodestone.crystals.compositions import atomic_fractions

        crystals, input_structure = crystals_of(rows), input_structure_of(params)
        prediction = self.ensemble.predict(crystals, input_structure)
        answer = pd.DataFrame(prediction.columns().to_dict(as_series=False), index=rows.index)
        if self.hull is not None:
            floor = self.hull.hull_energies(atomic_fractions([crystal.atomic_numbers for crystal in crystals]))
            ends = {"pred": prediction.mean, "lower": prediction.lower, "upper": prediction.upper}
            distances = {f"energy_above_hull_{end}": energy - floor for end, energy in ends.items()}
            answer = answer.assign(**distances, stability_probability=prediction.probability_below(floor))
        return answer


def _load_pyfunc(data_path: str) -> EnsembleModel:
    """Entry point that MLflow calls with the folder of the model."""
    from lodestone.ensemble.ensemble import load_ensemble

    _hide_tracebacks()
    return EnsembleModel(load_ensemble(Path(data_path)), _load_hull(Path(data_path, HULL)))


def _load_hull(path: Path) -> ConvexHull | None:
    import polars as pl

    from lodestone.crystals.compositions import atomic_fractions
    from lodestone.stability.hull import ConvexHull

    if not path.is_file():
        return None
    phases = pl.read_parquet(path)
    fractions = atomic_fractions(phases["atomic_numbers"].to_list())
    return ConvexHull(fractions, phases["formation_energy_per_atom"].to_numpy())


def _hide_tracebacks() -> None:
    """In a scoring server: say what is wrong with a request that cannot be parsed, without the server's paths.

    MLflow answers such a request with its traceback, and has no setting for that; the switch is an argument of its
    function, which we set.
    """
    server = sys.modules.get(_SERVER)
    handler = getattr(server, "_handle_serving_error", None)
    if handler is not None and not isinstance(handler, partial):
        server._handle_serving_error = partial(handler, include_traceback=False)  # type: ignore[union-attr]

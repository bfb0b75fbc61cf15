"""An ensemble of untrained networks, with calibrations made by hand: it answers at once, but knows nothing."""

from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

from lodestone.config.load import load_params
from lodestone.crystals.compositions import N_ELEMENTS
from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.out_of_distribution import OutOfDistribution
from lodestone.ensemble.predictor import FORMULA, Aggregation, EnsemblePredictor, save_predictors
from lodestone.ensemble.seen_systems import SeenSystems
from lodestone.models.baseline import ElementBaseline
from lodestone.models.registry import make_network
from lodestone.models.weights import SavedView, save_view
from lodestone.prediction.scale import Scale
from lodestone.schemas import INPUT_STRUCTURES
from lodestone.tables.layout import RoundLayout

ROOT = Path(__file__).parents[2]
DFT = Scale("dft-pbe", "MP-2019-legacy")
SMALL = {"width": 8, "layers": 1, "members": 2}


def rock_salt(first: str, second: str, length: float) -> Structure:
    """Eight atoms; pymatgen takes a second to multiply the operations of the space group."""
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return Structure(Lattice.cubic(length), [first] * 4 + [second] * 4, [*corners, *(corners + 0.5)])


def write_ensemble(folder: Path, *, with_formulas: bool = True) -> None:
    import torch

    params, files = load_params(ROOT / "params.yaml"), RoundLayout(folder)
    torch.manual_seed(0)
    for view in params.views:
        small = params.view(view).model_copy(update=SMALL)
        weights = [{k: v.numpy() for k, v in make_network(view, small).state_dict().items()} for _ in range(2)]
        baseline = ElementBaseline(np.linspace(-2, 0, N_ELEMENTS), 0.1, np.ones(N_ELEMENTS, dtype=bool))
        save_view(SavedView(view, small, baseline, weights), files.models(view))
    both = EnsemblePredictor(
        Aggregation("constant", ("composition", "structure"), {"weights": {"composition": 0.3, "structure": 0.7}}),
        Calibration.none(),
    )
    alone = EnsemblePredictor(Aggregation("composition", ("composition",), {}), Calibration.none())
    formulas = {FORMULA: alone} if with_formulas else {}
    save_predictors(dict.fromkeys(INPUT_STRUCTURES, both) | formulas, files.ensemble)
    seen = OutOfDistribution(
        SeenSystems.named(["Cl-Na"]), np.zeros((3, 8), dtype=np.float32), dict.fromkeys(INPUT_STRUCTURES, 1e9)
    )
    seen.save(files.out_of_distribution)

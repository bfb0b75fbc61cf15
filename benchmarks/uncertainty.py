"""How far the uncertainty of the structure view can be trusted: on crystals like the training set, and unlike it.

One ensemble is trained on crystals of the Materials Project. Validation crystals calibrate it, and three sets judge it:
other formulas of the same draw, chemical systems that were left out, and all crystals of two elements that were left
out. Each is measured three times: with the spread taken at its word, calibrated, and widened where out of distribution.

    python benchmarks/uncertainty.py --train 6000 --members 10 --epochs 20

Writes `table.md`, `scores.json` and `reliability.html` to `.bench/uncertainty`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from options import ROOT, ensemble_parser, one_thread

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.crystals.compositions import atomic_fractions, fractions_of_formulas  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.ensemble.calibration import ENOUGH, Calibration, conformal_quantile  # noqa: E402
from lodestone.ensemble.metrics import errors  # noqa: E402
from lodestone.ensemble.out_of_distribution import OutOfDistribution, remembered  # noqa: E402
from lodestone.ensemble.predictor import Aggregation, EnsemblePredictor, Prediction  # noqa: E402
from lodestone.ensemble.reliability import probability_scores, uncertainty_scores  # noqa: E402
from lodestone.models.inference import NetworkInputs  # noqa: E402
from lodestone.models.weights import SavedView  # noqa: E402
from lodestone.report.uncertainty_figures import coverage, stability  # noqa: E402
from lodestone.schemas import OUT_OF_DISTRIBUTION_REASONS  # noqa: E402
from lodestone.stability.hull import ConvexHull  # noqa: E402
from lodestone.training.train import fit_view  # noqa: E402
from materials_project import ENERGY, deal  # noqa: E402

TESTS = {"formulas": "other formulas", "systems": "unseen systems", "elements": "unseen elements"}
STEPS = ("spread as it is", "calibrated", "and widened")


def main() -> None:
    """Train, calibrate, measure, and write the table and the plot."""
    arguments = ensemble_parser(__doc__, "uncertainty", members=10, epochs=20).parse_args()
    table = deal(arguments)
    params = (
        load_params(ROOT / "params.yaml")
        .view("structure")
        .model_copy(update={"members": arguments.members, "epochs": arguments.epochs, "unrelaxed": 0.0})
    )
    saved = fit_view("structure", params, table.filter(pl.col("split").is_in(["train", "validation"])), None, 0)
    hull = _hull(arguments.data / "mp_energies.parquet", table.filter(pl.col("split") != "train"))
    scores, inflation = measure(saved, table, hull)
    write(scores, inflation, arguments.out)


def measure(
    saved: SavedView, table: pl.DataFrame, hull: ConvexHull
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Scores by set of crystals and step; and how much each reason would have had to be widened."""
    crystals = {part: decode(table.filter(pl.col("split") == part)) for part in ("train", "validation", *TESTS)}
    inputs = {part: NetworkInputs.to(saved, x) for part, x in crystals.items()}
    vectors = {part: x.latents() for part, x in inputs.items()}
    some = vectors["train"][remembered(len(crystals["train"]))]
    seen = OutOfDistribution.fit(crystals["train"], some, {"relaxed": vectors["validation"]})
    rule, predicted = None, {}
    for part in ("validation", *TESTS):
        rows = table.filter(pl.col("split") == part)
        members, out_of_distribution = inputs[part].members(), seen.reasons(crystals[part], vectors[part])
        rule = rule or calibrated(members, rows, out_of_distribution)
        predicted[part] = rule.predict({"structure": members}, out_of_distribution), rows
    assert rule is not None
    scores = {part: dict(_steps(*predicted[part], hull, rule.calibration)) for part in TESTS}
    return scores, {"used": dict(rule.calibration.inflation), "needed": _needed([predicted[part] for part in TESTS])}


def calibrated(members: np.ndarray, rows: pl.DataFrame, out_of_distribution: list[str]) -> EnsemblePredictor:
    """The rule of one view alone, fitted on the validation crystals."""
    aggregation = Aggregation(strategy="structure", views=("structure",), parameters={})
    average = aggregation.aggregate({"structure": members})
    error = rows[ENERGY].to_numpy() - average.mean
    return EnsemblePredictor(
        aggregation, Calibration.fit(error, average.spread, rows["formula"].to_list(), out_of_distribution)
    )


def _steps(
    prediction: Prediction, rows: pl.DataFrame, hull: ConvexHull, calibration: Calibration
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Scores with the spread as it is, calibrated, and widened."""
    true = rows[ENERGY].to_numpy()
    floor = hull.hull_energies(atomic_fractions(rows["atomic_numbers"].to_list()))
    narrow = replace(calibration, inflation=dict.fromkeys(OUT_OF_DISTRIBUTION_REASONS, 1.0))
    for step, rule in zip(STEPS, (Calibration.none(), narrow, calibration), strict=True):
        std = rule.std(prediction.spread, prediction.out_of_distribution)
        scaled = replace(prediction, std=std, calibration=rule)
        probability = scaled.probability_below(floor)
        yield (
            step,
            errors(scaled.mean, true)
            | {
                "uncertainty": uncertainty_scores(scaled, true),
                "stability": probability_scores(probability, true <= floor),
            },
        )


def _needed(predicted: list[tuple[Prediction, pl.DataFrame]]) -> dict[str, Any]:
    """Conformal quantile of all test crystals with a reason to be out of distribution, over the one fitted without."""
    score = np.concatenate([
        np.abs(rows[ENERGY].to_numpy() - one.mean) / one.calibration.std(one.spread, [""] * len(rows))
        for one, rows in predicted
    ])  # fmt: skip
    groups = np.concatenate([rows["formula"].to_numpy() for _, rows in predicted])
    out_of_distribution = np.concatenate(
        [np.array(list(one.out_of_distribution), dtype=object) for one, _ in predicted]
    )
    quantile = predicted[0][0].calibration.quantile
    result = {}
    for reason in OUT_OF_DISTRIBUTION_REASONS:
        mine = np.array([reason in text.split(",") for text in out_of_distribution], dtype=bool)
        enough = len(set(groups[mine])) >= ENOUGH
        factor = conformal_quantile(score[mine], groups[mine]) / quantile if enough else None
        result[reason] = {"n": int(mine.sum()), "factor": factor}
    return result


def write(scores: dict[str, dict[str, Any]], inflation: dict[str, Any], out: Path) -> None:
    """Table, numbers and plot."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [
        "| test crystals | uncertainty | MAE | n | 90 % covers | 95 % CI | area | width | NLL | rank | ECE | Brier |"
    ]
    lines += ["|---|---|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|"]
    lines += [_row(part, step, values) for part, steps in scores.items() for step, values in steps.items()]
    lines += ["", "| out of distribution by | widened by | needed here | n |", "|---|---:|---:|---:|"]
    for reason, factor in inflation["used"].items():
        needed = inflation["needed"][reason]
        widening = "too few" if needed["factor"] is None else f"{needed['factor']:.2f}"
        lines += [f"| {reason} | {factor:.2f} | {widening} | {needed['n']} |"]
    text = "\n".join(lines)
    print(text)
    (out / "table.md").write_text(text + "\n")
    (out / "scores.json").write_text(json.dumps({"scores": scores, "inflation": inflation}, indent=1))
    (out / "reliability.html").write_text(_page(scores))


def _row(part: str, step: str, values: dict[str, Any]) -> str:
    scores, stable = values["uncertainty"], values["stability"]
    inside = scores["coverage"]
    return (
        f"| {TESTS[part]} | {step} | {values['mae']:.3f} | {inside['n']} | {inside['rate']:.1%} | "
        f"{inside['low']:.1%} to {inside['high']:.1%} | {scores['miscalibration_area']:.3f} | "
        f"{scores['sharpness']:.3f} | "
        f"{scores['nll']:.2f} | {scores['spearman']:.2f} | {stable['calibration_error']:.3f} | {stable['brier']:.3f} |"
    )


def _page(scores: dict[str, dict[str, Any]]) -> str:
    """Two figures for each step, in one page that loads nothing."""
    from plotly.offline import get_plotlyjs

    figures = []
    for step in STEPS:
        named = {TESTS[part]: steps[step] for part, steps in scores.items()}
        pair = (
            coverage({name: values["uncertainty"] for name, values in named.items()}),
            stability({name: values["stability"] for name, values in named.items()}),
        )
        plain = {"full_html": False, "include_plotlyjs": False, "config": {"displayModeBar": False}}
        divs = "".join(f"<div>{one.to_html(**plain)}</div>" for one in pair)
        figures.append(f"<h2>{step.capitalize()}</h2><section>{divs}</section>")
    style = "<style>body{font-family:sans-serif}section{display:grid;grid-template-columns:520px 520px}</style>"
    return f'<meta charset="utf-8">{style}<script>{get_plotlyjs()}</script>{"".join(figures)}'


def _hull(path: Path, held_out: pl.DataFrame) -> ConvexHull:
    """The hull of everything but the formulas on trial."""
    table = pl.read_parquet(path, columns=["formula", ENERGY])
    others = table.filter(~pl.col("formula").is_in(held_out["formula"].implode()))
    return ConvexHull(fractions_of_formulas(others["formula"]), others[ENERGY].to_numpy())


if __name__ == "__main__":
    main()

"""The model card: what the networks learned from, how far off they are, and who is to be named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import polars as pl

from lodestone.prediction.scale import Scale
from lodestone.pretraining.errors_by_chemistry import ErrorsOfKind, errors_by_chemistry
from lodestone.pretraining.pretrain import Pretrained
from lodestone.pretraining.settings import PretrainingSettings
from lodestone.tables.files import write_atomically, write_json

CARD_FILE = "MODEL_CARD.md"


def write_card(made: Pretrained, settings: PretrainingSettings) -> Path:
    """Write the card, its figures (``errors.json``), and what the energies are (``scale.json``), beside the networks.

    Returns:
        The card.
    """
    data = settings.data
    errors = errors_by_chemistry(made.predictions, made.crystals, data.published)
    unrelaxed = made.predictions.with_columns(
        input_structure=pl.col("input_structure").replace({"unrelaxed": "relaxed", "relaxed": "none"})
    )
    of_unrelaxed = errors_by_chemistry(unrelaxed, made.crystals, {})[:1]
    Scale(data.label_method, data.correction_scheme).write(
        made.folder, data=data.name, license=data.license, attribution=data.attribution
    )
    write_json(
        {"relaxed": [asdict(one) for one in errors], "unrelaxed": [asdict(one) for one in of_unrelaxed]},
        made.folder / "errors.json",
    )
    text = "\n".join(_lines(made, settings, errors, of_unrelaxed)) + "\n"
    path = made.folder / CARD_FILE
    write_atomically(path, lambda target: target.write_text(text, encoding="utf-8"))
    return path


def _lines(
    made: Pretrained, settings: PretrainingSettings, errors: list[ErrorsOfKind], unrelaxed: list[ErrorsOfKind]
) -> Iterator[str]:
    data, sizes = settings.data, dict(made.crystals["split"].value_counts().iter_rows())
    yield "# Model card"
    yield ""
    yield "Formation energies of crystals, in eV/atom, on the scale of the data below. Written by `lodestone pretrain`."
    yield ""
    yield from _table(("what", ""), _facts(settings, sizes))
    yield ""
    yield "## Errors"
    yield ""
    yield (
        f"Mean absolute errors on {errors[0].n:,} test crystals, in meV/atom. Their chemical systems are held out "
        "as a whole: no network has seen a crystal of one of them. Brackets hold 95 % intervals, over chemical "
        "systems and, of coverages, by Wilson."
    )
    if errors[0].published:
        yield ""
        yield (
            f"{', '.join(errors[0].published)} are published out-of-fold predictions for the same crystals; these "
            "networks had more crystals to learn from, others of the test systems among them."
        )
    yield ""
    titles = ("crystals", "n", "this ensemble", "in the 90 % interval", *errors[0].published)
    yield from _table(titles, map(_row, errors))
    if unrelaxed:
        yield ""
        mae, n = unrelaxed[0].mae, unrelaxed[0].n
        yield (
            "Of unrelaxed structures (another crystal of the prototype, elements replaced, volume guessed; "
            f"n = {n:,}) it predicts the relaxed energy with an error of {_milli(mae[0])} "
            f"[{_milli(mae[1])}, {_milli(mae[2])}] meV/atom."
        )
    yield ""
    yield "## Limits"
    yield ""
    scale = f"{data.label_method} with the corrections {data.correction_scheme}"
    yield f"- Energies are {scale}; they must not meet others on one hull."
    yield "- The networks know no magnetism, charge, temperature or disorder, and only the elements of their table."
    yield "- Intervals hold on average over crystals like the test crystals, not for each kind (see the table)."
    yield ""
    yield "## License and attribution"
    yield ""
    yield f"The networks are under {data.license}, as are the data: {data.attribution}"


def _facts(settings: PretrainingSettings, sizes: dict[str, int]) -> Iterator[tuple[str, str]]:
    data, split = settings.data, settings.split
    thinned = "" if settings.limit is None else f", a random part of those that there are (`limit: {settings.limit}`)"
    yield "data", data.name
    if data.selection:
        yield "rows", data.selection
    yield "functional", data.functional
    yield "label method, corrections", f"{data.label_method}, {data.correction_scheme}"
    yield "learned from", f"{sizes.get('train', 0):,} crystals{thinned}"
    yield "weights and intervals fitted on", f"{sizes.get('validation', 0):,} other crystals"
    yield "tested on", f"{sizes.get('test', 0):,} other crystals; split by {split.by}"
    for view, params in settings.views.items():
        described = f"{params.members} networks of {params.layers} layers, width {params.width}, {params.epochs} epochs"
        yield f"{view} view", described
    yield "aggregation of views", settings.ensemble.aggregation


def _row(one: ErrorsOfKind) -> tuple[str, ...]:
    mae, low, high = (_milli(value) for value in one.mae)
    covered = one.coverage
    share = f"{covered['rate']:.1%} [{covered['low']:.1%}, {covered['high']:.1%}]"
    others = ("" if value is None else _milli(value) for value in one.published.values())
    return one.kind, f"{one.n:,}", f"**{mae}** [{low}, {high}]", share, *others


def _milli(energy: float) -> str:
    return f"{1e3 * energy:.0f}"


def _table(titles: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)

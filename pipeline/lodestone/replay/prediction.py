"""From the networks of a replay to predictions of the pool, as a campaign makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.out_of_distribution import OutOfDistribution, system_of
from lodestone.ensemble.predictor import Aggregation, EnsemblePredictor, Prediction
from lodestone.ensemble.relatives import with_relatives
from lodestone.ensemble.seen_systems import SeenSystems
from lodestone.models.registry import latent_view
from lodestone.replay.networks import Outputs
from lodestone.replay.policies import Policy
from lodestone.replay.preparation import Prepared


def predict(
    policy: Policy,
    outputs: Mapping[str, Outputs],
    prepared: Prepared,
    pool: Sequence[Crystal],
    revealed: Sequence[Crystal],
    *,
    relatives: np.ndarray | None = None,
) -> Prediction:
    """Combine the views, and what relatives tell, and calibrate their errors on the validation crystals.

    Args:
        policy: Whose views, aggregation and calibration.
        outputs: By view, for the crystals of the pool in question.
        prepared: Validation crystals, and what was learned from.
        pool: The crystals in question.
        revealed: Pool crystals that were learned from, too.
        relatives: Energies of the crystals in question by their relatives, shape ``(n,)``; for a policy that asks them.
    """
    if policy.aggregation is None:
        raise ValueError("a policy without an aggregation predicts nothing")
    true = prepared.validation_energies
    validation = {view: outputs[view].validation for view in policy.views}
    aggregation = Aggregation.fit(policy.aggregation, validation, true)
    reasons = {name: [""] * n for name, n in (("validation", len(true)), ("pool", len(pool)))}
    calibration = Calibration.none()
    if policy.calibrated:
        reasons = _reasons(outputs, policy.views, prepared, pool, revealed)
        average = aggregation.aggregate(validation)
        calibration = Calibration.fit(
            true - average.mean, average.spread, prepared.validation_formulas, reasons["validation"]
        )
    members = {view: outputs[view].pool for view in policy.views}
    predictor = EnsemblePredictor(aggregation, calibration)
    predicted = predictor.predict(members, reasons["pool"])
    if relatives is None:
        return predicted
    return with_relatives(
        predicted,
        relatives,
        validation=predictor.predict(validation, reasons["validation"]),
        validation_estimated=prepared.validation_relatives,
        true=true,
        groups=prepared.validation_formulas,
        calibrated=policy.calibrated,
    )


def _reasons(
    outputs: Mapping[str, Outputs],
    views: Sequence[str],
    prepared: Prepared,
    pool: Sequence[Crystal],
    revealed: Sequence[Crystal],
) -> dict[str, list[str]]:
    """Why validation and pool crystals are out of distribution."""
    judge = latent_view(views)
    crystals = {"validation": prepared.validation.crystals, "pool": pool}
    vectors = {
        name: outputs[judge].latents[name] if judge else np.zeros((n, 0), dtype=np.float32)
        for name, n in (
            ("sample", len(prepared.sample.crystals)),
            ("validation", len(crystals["validation"])),
            ("pool", len(pool)),
        )
    }
    seen = OutOfDistribution.fit(prepared.sample.crystals, vectors["sample"], {"unrelaxed": vectors["validation"]})
    systems = SeenSystems.of(system_of(crystal) for crystal in (*prepared.train, *revealed))
    seen = replace(seen, systems=systems)
    return {name: seen.reasons(found, vectors[name], "unrelaxed") for name, found in crystals.items()}

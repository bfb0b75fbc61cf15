"""Policies: which of the candidates are verified next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lodestone.config.params import Params
from lodestone.discovery.batches import BatchLimits
from lodestone.errors import LodestoneError

OURS, RANDOM, LIKELIEST, GREEDY = "ours", "random", "likeliest-substitution", "greedy"
UNCALIBRATED, STATIC = "uncalibrated", "static"
MOST_OF_A_PROTOTYPE = 2  # in a round
APART = 0.5  # of the distance at which a crystal is far from all training crystals
RELATIVES = {True: "without-relatives", False: "with-relatives"}  # what ours is not


@dataclass(frozen=True)
class Policy:
    """How candidates are ranked.

    Attributes:
        acquisition: A name in :data:`lodestone.config.registry.ACQUISITIONS`.
        aggregation: How views become one prediction; a view's name for that view alone. ``None`` predicts nothing.
        views: The views that are trained for it.
        calibrated: Whether the spread of members is calibrated, and widened out of distribution.
        learns: Whether the networks learn what earlier rounds have revealed.
        relatives: Whether predictions are averaged with what known relatives tell.
        limits: Of the candidates that are verified together; without any, the first of the ranking are.
    """

    acquisition: str
    aggregation: str | None = None
    views: tuple[str, ...] = ()
    calibrated: bool = True
    learns: bool = True
    relatives: bool = False
    limits: BatchLimits = field(default_factory=BatchLimits)


def policies_of(params: Params) -> dict[str, Policy]:
    """All that can be replayed, by name.

    ``ours`` is what a campaign with these parameters does; the others change one thing each.
    """
    aggregation, acquisition, views = params.ensemble.aggregation, params.discovery.acquisition, params.views
    alone = {view: Policy(acquisition, view, (view,)) for view in views} if len(views) > 1 else {}
    ours = Policy(acquisition, aggregation, views, relatives=params.discovery.relatives)
    return {
        OURS: ours,
        RANDOM: Policy("random"),
        LIKELIEST: Policy("likeliest_substitution"),
        GREEDY: replace(ours, acquisition="lowest_energy"),
        "expected-improvement": replace(ours, acquisition="expected_improvement"),
        "upper-confidence": replace(ours, acquisition="upper_confidence"),
        "diverse-systems": replace(ours, limits=BatchLimits(per_chemsys=1)),
        "diverse-prototypes": replace(ours, limits=BatchLimits(per_prototype=MOST_OF_A_PROTOTYPE)),
        "diverse-latents": replace(ours, limits=BatchLimits(latent_distance=APART)),
        **alone,
        UNCALIBRATED: replace(ours, calibrated=False),
        STATIC: replace(ours, learns=False),
        RELATIVES[ours.relatives]: replace(ours, relatives=not ours.relatives),
    }


def chosen_policies(names: list[str] | None, params: Params) -> dict[str, Policy]:
    """Some policies by name, in the order of :func:`policies_of`; all where no name is given.

    ``NAME-static`` is the policy of that name that learns nothing between the rounds; these come last.

    Raises:
        LodestoneError: If there is none of a name.
    """
    known = policies_of(params)
    if not names:
        return known
    frozen = {f"{name}-{STATIC}": replace(policy, learns=False) for name, policy in known.items() if policy.views}
    unknown = [name for name in names if name not in known | frozen]
    if unknown:
        raise LodestoneError(
            f"there is no policy {unknown[0]!r}",
            f"choose from {', '.join(known)}; or NAME-{STATIC} of one with networks, which then learns nothing",
        )
    return {name: policy for name, policy in (known | frozen).items() if name in names}

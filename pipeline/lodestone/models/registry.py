"""The dataset and network of a view, as registered by its file; see :mod:`lodestone.models.base`."""

from __future__ import annotations

from collections.abc import Sequence

from lodestone.config.registry import VIEWS
from lodestone.config.sections import ViewParams
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.models.base import ViewDataset, ViewNetwork, has_latent


def make_dataset(
    view: str, crystals: Sequence[Crystal], params: ViewParams, unrelaxed: Sequence[bool] | None = None
) -> ViewDataset:
    """The dataset of a view.

    Args:
        view: Name of the view.
        crystals: ``n`` crystals.
        params: Parameters of the view.
        unrelaxed: Which crystals are unrelaxed, shape ``(n,)``; none by default.
    """
    marked = [False] * len(crystals) if unrelaxed is None else unrelaxed
    return _network_class(view, params).dataset(crystals, params, marked)


def make_network(view: str, params: ViewParams) -> ViewNetwork:
    """A freshly initialized network of a view."""
    return _network_class(view, params)(params)


def dataset_class(view: str) -> type[ViewDataset]:
    """Class of the datasets of a view."""
    dataset: type[ViewDataset] = VIEWS[view].make.dataset  # type: ignore[attr-defined]
    return dataset


def latent_view(views: Sequence[str]) -> str | None:
    """The view whose latent vectors decide what is out of distribution: the last one listed that has any."""
    return next((view for view in reversed(views) if has_latent(VIEWS[view].make)), None)  # type: ignore[arg-type]


def required_latent_view(views: Sequence[str]) -> str:
    """As :func:`latent_view`, where there must be one.

    Raises:
        LodestoneError: If no view has latent vectors.
    """
    latent = latent_view(views)
    if latent is None:
        raise LodestoneError(
            f"none of the views {', '.join(views)} has latent vectors, between which there is a distance",
            "set discovery.min_latent_distance to 0, or leave out the policy that asks for it, or add the view "
            "`structure`",
        )
    return latent


def _network_class(view: str, params: ViewParams) -> type[ViewNetwork]:
    registered = VIEWS[view]
    if not isinstance(params, registered.settings):
        missing = [name for name in registered.settings.model_fields if name not in type(params).model_fields]
        raise LodestoneError(
            f"the {view} view needs {', '.join(missing) or 'parameters of its own'}",
            f"use the section `{view}` of params.yaml",
        )
    network: type[ViewNetwork] = registered.make  # type: ignore[assignment]
    return network

"""Writes a finished campaign into an MLflow store, once.

MLflow is a projection: deleting its store loses nothing but decisions, because `lodestone publish` rebuilds it from the
artifacts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.config.params import Params
from lodestone.runtime.disk import check_writable
from lodestone.runtime.seeds import child_seed
from lodestone.tables.layout import UNPUBLISHED
from lodestone.tracking.address import EXPERIMENT, artifact_location
from lodestone.tracking.client import StoreError, connect
from lodestone.tracking.evidence import evidence
from lodestone.tracking.finished import FinishedCampaign
from lodestone.tracking.projection import project
from lodestone.tracking.promotions import decide, describe
from lodestone.tracking.publications import Publication, move_aliases, publications_of, remove, write
from lodestone.tracking.revision import git_tags

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # not of language models, which MLflow opens with
    "mlflow.note.content": "Campaigns of Lodestone, one run each, with child runs for rounds and views. Choose "
    "**Model training** at the top left; `lodestone ui` prints the address of the charts.",
}


def publish(root: str | Path, params: Params) -> dict[str, Any]:
    """Write a finished campaign into MLflow, once, and decide whether its best ensemble becomes the champion.

    A campaign that is already there (same digest) is left unchanged. One of which an interrupted publication or lost
    files have left a part is written again, and what was decided of it stays.

    Args:
        root: Root of the repository.
        params: Parameters of the campaign.

    Returns:
        The receipt (see :meth:`lodestone.tracking.records.CampaignRecord.receipt`), ``created``: whether anything was
        written, and ``decision``: the record of the decision.

    Raises:
        LodestoneError: If the campaign is not finished, or the folder cannot be written.
        StoreError: If the store cannot be reached or written.
    """
    root = Path(root)
    record = project(root, params)
    if artifact_location(root):
        check_writable(root)
    with connect(root) as client:
        experiment = _experiment(client, root)
        every = publications_of(client, experiment, record)
        whole = next((publication for publication in every if publication.is_whole(client, record)), None)
        current = whole or write(client, experiment, record, git_tags(root), evidence(FinishedCampaign(root, params)))
        _tidy(client, [publication for publication in every if publication is not whole], current)
        decision = decide(client, record, params.promotion, child_seed(params.seed, "promotion"))
    (root / UNPUBLISHED).unlink(missing_ok=True)
    return {**record.receipt(), "created": whole is None, "decision": decision}


def publish_or_defer(root: str | Path, params: Params) -> dict[str, Any]:
    """Publish; if the store cannot be used, say so, and leave a mark by which it is tried again later.

    Returns:
        The receipt, without anything that depends on the store.

    Raises:
        LodestoneError: If the campaign is not finished.
    """
    root = Path(root)
    try:
        receipt = publish(root, params)
    except StoreError as error:
        print(f"note: not published yet: {error}", file=sys.stderr)
        (root / UNPUBLISHED).parent.mkdir(parents=True, exist_ok=True)
        (root / UNPUBLISHED).write_text(f"{error}\n", encoding="utf-8")
        return project(root, params).receipt()
    done = "written to" if receipt.pop("created") else "already in"
    print(f"{receipt['run']}: {done} MLflow; `make ui` opens it")
    print(describe(receipt.pop("decision")))
    return receipt


def _experiment(client: MlflowClient, root: Path) -> str:
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is not None:
        return str(known.experiment_id)
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifact_location(root), tags=_TAGS))


def _tidy(client: MlflowClient, others: list[Publication], current: Publication) -> None:
    """Remove other publications of the same campaign, after what was decided of them has moved to the current one."""
    for publication in others:
        move_aliases(client, publication, current)
        remove(client, publication)

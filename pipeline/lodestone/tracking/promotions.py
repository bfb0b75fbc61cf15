"""Decisions about the champion: made once for each candidate, kept with the versions, and taken back on request."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone import __version__
from lodestone.config.promotion import PromotionParams
from lodestone.errors import LodestoneError
from lodestone.promotion.frozen_test import common_test, read_predicted_test_set
from lodestone.promotion.judgment import FIRST, INCOMPARABLE, PROMOTED, REFUSED, Judgment, judge
from lodestone.tracking.address import public_uri, store_exists
from lodestone.tracking.client import connect
from lodestone.tracking.records import CampaignRecord
from lodestone.tracking.registry import CANDIDATE, CHAMPION, MODEL, PREVIOUS, by_alias, model_id_of, no_champion

if TYPE_CHECKING:
    import polars as pl
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

DECISIONS = "lodestone.decisions"  # tag of a version: the records of all that concerned it, as JSON
OUTCOME = "lodestone.outcome"  # tag: the last of them
APPLIED = "lodestone.applied"  # tag: the aliases are set as decided
BY_HAND, ROLLED_BACK = "by hand", "rolled back"
_IN_WORDS = {
    FIRST: "the first champion",
    PROMOTED: "promoted to champion",
    REFUSED: "refused; the champion stays",
    INCOMPARABLE: "cannot be compared; the champion stays",
    BY_HAND: "champion, chosen by hand",
    ROLLED_BACK: "champion again, rolled back",
}
_MOVES = (PROMOTED, BY_HAND, ROLLED_BACK)
_KEPT = 20  # records of a version

Decision = dict[str, Any]


def decide(client: MlflowClient, record: CampaignRecord, params: PromotionParams, seed: int) -> Decision:
    """Judge the campaign's candidate, once, and set the aliases.

    The candidate is the round with the least validation error, so that the test crystals choose nothing but between
    it and the champion. Killed anywhere, it goes on at the next call; a decision once made is never made again.

    Returns:
        The record of the decision.
    """
    version = _candidate(client, record)
    if OUTCOME not in version.tags:
        client.set_registered_model_alias(MODEL, CANDIDATE, version.version)
        champion = by_alias(client, CHAMPION)
        _keep(client, version, _record(_judgment(client, version, champion, params, seed), version, champion, params))
        version = client.get_model_version(MODEL, version.version)
    decision = decisions_of(version)[-1]
    if APPLIED not in version.tags:
        _apply(client, decision)
        client.set_model_version_tag(MODEL, version.version, APPLIED, "true")
    return decision


def decisions(root: Path) -> list[Decision]:
    """All decisions in the store, the newest first.

    Raises:
        LodestoneError: If there is no store, or it cannot be used.
    """
    if not store_exists(root):
        raise no_champion(root)
    with connect(root) as client:
        every = [one for version in _versions(client) for one in decisions_of(version)]
    unique = {json.dumps(one, sort_keys=True): one for one in every}
    return sorted(unique.values(), key=lambda one: str(one["time"]), reverse=True)


def promote(root: Path, number: int, reason: str) -> Decision:
    """Make a version the champion by hand.

    Raises:
        LodestoneError: If there is no store, no such version, or it is the champion already.
    """
    if not store_exists(root):
        raise no_champion(root)
    with connect(root) as client:
        known = {int(version.version): version for version in _versions(client)}
        if number not in known:
            there = ", ".join(map(str, sorted(known))) or "none"
            raise LodestoneError(f"{MODEL} has no version {number} in {public_uri(root)}", f"there are: {there}")
        champion = by_alias(client, CHAMPION)
        if champion is not None and int(champion.version) == number:
            raise LodestoneError(f"version {number} is the champion already", "choose another, or leave it")
        decision = _record(Judgment(BY_HAND, (reason,)), known[number], champion, None)
        _keep(client, known[number], decision)
        _set_champion(client, str(number), champion.version if champion else None)
        return decision


def rollback(root: Path, reason: str) -> Decision:
    """Make the previous champion the champion again.

    Raises:
        LodestoneError: If there is no champion, or none before it.
    """
    if not store_exists(root):
        raise no_champion(root)
    with connect(root) as client:
        champion, previous = by_alias(client, CHAMPION), by_alias(client, PREVIOUS)
        if champion is None:
            raise no_champion(root)
        if previous is None:
            problem = f"there is no champion before version {champion.version}"
            raise LodestoneError(problem, "choose a version by `lodestone promote VERSION`")
        decision = _record(Judgment(ROLLED_BACK, (reason,)), previous, champion, None)
        for version in (champion, previous):
            _keep(client, version, decision)
        client.set_registered_model_alias(MODEL, CHAMPION, previous.version)
        client.delete_registered_model_alias(MODEL, PREVIOUS)
        return decision


def describe(decision: Decision) -> str:
    """A decision in words: what became of the version, and why."""
    candidate, champion = decision["candidate"], decision["champion"]
    head = f"version {candidate['version']} ({candidate['round']}): {_IN_WORDS[decision['outcome']]}"
    if champion is not None and decision["outcome"] in _MOVES:
        head += f", instead of version {champion['version']}"
    return "\n  ".join([head, *decision["reasons"]])


def decisions_of(version: ModelVersion) -> list[Decision]:
    """The records that a version carries, in order."""
    return list(json.loads(version.tags.get(DECISIONS, "[]")))


def _candidate(client: MlflowClient, record: CampaignRecord) -> ModelVersion:
    name = min(record.models, key=lambda round_name: record.models[round_name].validation_mae)
    wanted = ("lodestone.digest", record.digest), ("lodestone.round", name)
    of_campaign = [v for v in _versions(client) if all(v.tags.get(key) == value for key, value in wanted)]
    return max(of_campaign, key=lambda version: int(version.version))


def _judgment(
    client: MlflowClient, version: ModelVersion, champion: ModelVersion | None, params: PromotionParams, seed: int
) -> Judgment:
    if champion is None:
        return Judgment(FIRST, ("there was no champion to compare it with",))
    if champion.version == version.version:
        return Judgment(FIRST, ("it was the champion before decisions were recorded",))
    remedy = f"`lodestone promote {version.version}` makes this one the champion"
    own, theirs = (one.tags.get("lodestone.labels", "unknown") for one in (version, champion))
    if own != theirs:
        reason = f"it learned labels of {own}, the champion (version {champion.version}) those of {theirs}; {remedy}"
        return Judgment(INCOMPARABLE, (reason,))
    known = _test_predictions(client, champion)
    if known is None:
        reason = f"the champion (version {champion.version}) has no test predictions of this format; {remedy}"
        return Judgment(INCOMPARABLE, (reason,))
    candidate = _test_predictions(client, version)
    if candidate is None:
        raise LodestoneError(f"version {version.version} of {MODEL} has lost its files", "run `lodestone publish`")
    return judge(common_test(candidate, known), params, seed)


def _test_predictions(client: MlflowClient, version: ModelVersion) -> pl.DataFrame | None:
    """The test predictions beside a model, or ``None`` if there are none that can be read."""
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    from lodestone.tracking.model_files import DATA, TEST_PREDICTIONS

    model_id = model_id_of(version)
    if model_id is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        try:
            uri = f"{client.get_logged_model(model_id).artifact_location}/data/{DATA}/{TEST_PREDICTIONS}"
            return read_predicted_test_set(Path(mlflow.artifacts.download_artifacts(uri, dst_path=scratch)))
        except (MlflowException, LodestoneError, FileNotFoundError):
            return None


def _record(
    judgment: Judgment, version: ModelVersion, champion: ModelVersion | None, params: PromotionParams | None
) -> Decision:
    """The audit record of a decision, as plain values."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **judgment.as_dict(),
        "candidate": _facts(version),
        "champion": _facts(champion) if champion is not None else None,
        "thresholds": params.model_dump(mode="json") if params is not None else None,
        "lodestone": __version__,
    }


def _facts(version: ModelVersion) -> dict[str, Any]:
    names = ("round", "digest", "labels", "snapshot", "validation_mae")
    tags = {name: version.tags.get(f"lodestone.{name}") for name in names}
    return {"version": int(version.version), **tags, "commit": version.tags.get("mlflow.source.git.commit")}


def _keep(client: MlflowClient, version: ModelVersion, decision: Decision) -> None:
    """Add a record to a version, and beside its run as a file."""
    every = [*decisions_of(version), decision][-_KEPT:]
    client.set_model_version_tag(MODEL, version.version, DECISIONS, json.dumps(every))
    if version.run_id:
        name = decision["time"].replace(":", "")
        client.log_dict(version.run_id, decision, f"decisions/{name}.json")
    client.set_model_version_tag(MODEL, version.version, OUTCOME, decision["outcome"])


def _apply(client: MlflowClient, decision: Decision) -> None:
    if decision["outcome"] not in (PROMOTED, FIRST):
        return
    before = decision["champion"]
    _set_champion(client, str(decision["candidate"]["version"]), str(before["version"]) if before else None)


def _set_champion(client: MlflowClient, version: str, before: str | None) -> None:
    if before is not None and before != version:
        client.set_registered_model_alias(MODEL, PREVIOUS, before)
    client.set_registered_model_alias(MODEL, CHAMPION, version)


def _versions(client: MlflowClient) -> list[ModelVersion]:
    return list(client.search_model_versions(f"name = '{MODEL}'"))

"""The steps of a retraining, in order; each can be killed, and the next run goes on."""

from __future__ import annotations

import os
from pathlib import Path

from lodestone.config.params import Params
from lodestone.errors import LodestoneError
from lodestone.retraining.alone import alone
from lodestone.retraining.branch import has_changed, open_request, push_branch, start_of
from lodestone.retraining.commands import LODESTONE, stream
from lodestone.retraining.findings import findings
from lodestone.retraining.request import body_of, title_of
from lodestone.retraining.storage import keep, restore
from lodestone.snapshot.version import Refreshed, refresh
from lodestone.tables.files import write_atomically
from lodestone.tables.layout import REPORTS

BODY = REPORTS / "retraining.md"
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"  # a file whose Markdown GitHub shows with a run of a workflow


def retrain(params: Params, folder: Path, *, wait: bool = False, request: bool = True) -> int:
    """Restore, refresh, run the campaign, judge it, keep it, and put it forward.

    Args:
        params: Of the campaign.
        folder: Root of the campaign, in a git repository.
        wait: Wait for another retraining in this folder, instead of stopping.
        request: Push a branch and open a pull request.

    Returns:
        Exit code: that of a campaign that stopped, else 0, whether the candidate was promoted or not.

    Raises:
        LodestoneError: If a step fails.
        WaitingError: If another retraining runs in the folder.
    """
    with alone(folder, wait=wait):
        commit = start_of(folder)
        pull = ["--pull"] if restore(folder) else []
        refreshed = refresh(params.snapshot, folder)
        code = stream([*LODESTONE, "discover", *pull], folder)
        if code:
            _keep_what_there_is(folder)
            return code
        if has_changed(commit, folder):
            _put_forward(commit, refreshed, params, folder, request=request)
        else:
            _tell(
                f"Nothing is new ({refreshed.source}: {refreshed.now}): dvc.lock is as it was, and no request is made."
            )
        return 0


def _put_forward(commit: str, refreshed: Refreshed, params: Params, folder: Path, *, request: bool) -> None:
    comparison = findings(commit, refreshed, params, folder)
    title, body = title_of(comparison), body_of(comparison)
    write_atomically(folder / BODY, lambda path: path.write_text(body, encoding="utf-8"))
    _tell(body)
    keep(folder)
    if not request:
        print(f"written: {BODY}")
        return
    branch, is_new = push_branch(commit, f"{title}\n\n{refreshed.source}: {refreshed.now}", folder)
    address = open_request(branch, title, folder / BODY, folder)
    print(f"Branch {branch}{'' if is_new else ' (there already)'}: {address or f'no gh here; the text is in {BODY}'}")


def _keep_what_there_is(folder: Path) -> None:
    """Stages that were finished before the campaign stopped need not run again elsewhere."""
    try:
        keep(folder)
    except LodestoneError as error:
        print(f"note: {error}")


def _tell(text: str) -> None:
    print(text, flush=True)
    path = os.environ.get(SUMMARY_VARIABLE)
    if path:
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(f"{text}\n")

"""A branch with the new `dvc.lock`, and a pull request for it; the working tree and its branch stay as they are."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from lodestone.retraining.commands import read, read_or_none, text_at
from lodestone.snapshot.version import VERSION_FILE
from lodestone.tracking.lock import LOCK_FILE

FILES = (Path(LOCK_FILE), VERSION_FILE)
_REPOSITORY = "run in the git repository of the campaign, after its first commit"
_PUSH = "check the address of the remote, the network, and that you may push there; then run again"
_REQUEST = (
    "the branch is pushed. Give gh a token (GH_TOKEN) that may write pull requests, or open it by hand: the text is in "
    "reports/retraining.md"
)
_NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "lodestone retrain"), ("EMAIL", "lodestone@localhost"))
}


def start_of(folder: Path) -> str:
    """The commit that is checked out.

    Raises:
        LodestoneError: Outside of git, or before the first commit.
    """
    return read(["git", "rev-parse", "--verify", "HEAD"], folder, remedy=_REPOSITORY)


def has_changed(commit: str, folder: Path) -> bool:
    """Whether a file that a request would hold differs from that of a commit."""
    return any(text_at(commit, path, folder) != _text(folder / path) for path in FILES)


def branch_name(folder: Path) -> str:
    """Named by the content, so that equal results are never put forward twice."""
    content = "\0".join(_text(folder / path) or "" for path in FILES)
    return f"retraining/{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def push_branch(commit: str, message: str, folder: Path, remote: str = "origin") -> tuple[str, bool]:
    """Commit the files on top of a commit, and push them as a branch, unless it is there already.

    Without the remote it becomes a branch of this repository.

    Returns:
        Name of the branch, and whether it is new.

    Raises:
        LodestoneError: If git refuses.
    """
    name = branch_name(folder)
    if read_or_none(["git", "remote", "get-url", remote], folder) is None:
        if read_or_none(["git", "rev-parse", "--verify", "--quiet", f"refs/heads/{name}"], folder) is not None:
            return name, False
        read(["git", "branch", name, _commit(commit, message, folder)], folder, remedy=_REPOSITORY)
        return name, True
    if read(["git", "ls-remote", "--heads", remote, name], folder, remedy=_PUSH):
        return name, False
    new = _commit(commit, message, folder)
    read(["git", "push", "--quiet", remote, f"{new}:refs/heads/{name}"], folder, remedy=_PUSH)
    return name, True


def open_request(branch: str, title: str, body: Path, folder: Path) -> str | None:
    """Open a pull request by gh, unless there is one for the branch, open or not.

    Returns:
        Its address; ``None`` where gh is not installed.

    Raises:
        LodestoneError: If gh refuses.
    """
    if shutil.which("gh") is None:
        return None
    listed = read(["gh", "pr", "list", "--head", branch, "--state", "all", "--json", "url"], folder, remedy=_REQUEST)
    if known := json.loads(listed or "[]"):
        return str(known[0]["url"])
    base = read_or_none(["git", "symbolic-ref", "--short", "--quiet", "HEAD"], folder)
    onto = ["--base", base.strip()] if base else []
    text = ["--title", title, "--body-file", str(body.resolve())]
    return read(["gh", "pr", "create", "--head", branch, *onto, *text], folder, remedy=_REQUEST)


def _commit(parent: str, message: str, folder: Path) -> str:
    """A commit made in an index of its own."""
    who = {} if read_or_none(["git", "config", "user.email"], folder) else _NOBODY
    with tempfile.TemporaryDirectory() as temporary:
        index = {"GIT_INDEX_FILE": str(Path(temporary, "index"))}
        read(["git", "read-tree", parent], folder, remedy=_REPOSITORY, variables=index)
        there = [str(path) for path in FILES if (folder / path).exists()]
        read(["git", "add", "--force", "--", *there], folder, remedy=_REPOSITORY, variables=index)
        tree = read(["git", "write-tree"], folder, remedy=_REPOSITORY, variables=index)
    return read(["git", "commit-tree", tree, "-p", parent, "-m", message], folder, remedy=_REPOSITORY, variables=who)


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None

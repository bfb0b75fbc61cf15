"""Moves the results of a campaign between machines, as a DVC remote: a folder, a tar of it, or a web server."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING, Any

import requests

from lodestone.errors import LodestoneError
from lodestone.runtime.redaction import public_address

if TYPE_CHECKING:
    from dvc.repo import Repo

REMOTE_VARIABLE = "LODESTONE_REMOTE"
_NAME = "release"
_WEB = ("http://", "https://")


def bundle(target: Path) -> None:
    """Write all outputs named in `dvc.lock`, and DVC's cache of earlier runs.

    Args:
        target: A folder (used as a DVC remote) or a `*.tar` file.

    Raises:
        LodestoneError: If an output is missing.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if target.suffix == ".tar" else target
        with _repository(str(folder.resolve())) as repo, _faults(str(target), "run `make discover` to its end first"):
            repo.push(remote=_NAME, run_cache=True)
        if target.suffix == ".tar":
            target.parent.mkdir(parents=True, exist_ok=True)
            with tarfile.open(target, "w") as archive:
                archive.add(folder, arcname=".")


def fetch(source: str) -> list[str]:
    """Restore the outputs named in `dvc.lock`, checking each against its hash.

    Args:
        source: Output of :func:`bundle`: a folder or a `*.tar`, or the http(s) address of either.

    Returns:
        The stages still not up to date: their code, parameters or inputs differ from `dvc.lock`.

    Raises:
        LodestoneError: If the source cannot be read, or lacks an output.
    """
    remedy = "check the address, and take the bundle that was made from this `dvc.lock`"
    with _faults(source, remedy), _unpacked(source) as address, _repository(address) as repo:
        # The run cache is read by listing folders, which a web server cannot do.
        repo.pull(remote=_NAME, run_cache=not address.startswith(_WEB), force=True)
        return sorted(repo.status())


@contextmanager
def _unpacked(source: str) -> Iterator[str]:
    """Address of a DVC remote: the source itself, or a temporary folder with the contents of its tar."""
    if not source.endswith(".tar"):
        if not source.startswith(_WEB) and not Path(source).is_dir():
            raise LodestoneError(f"{source} is no folder", f"set {REMOTE_VARIABLE} to a folder, a tar or an address")
        yield source if source.startswith(_WEB) else str(Path(source).resolve())
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(source)
        if source.startswith(_WEB):
            path = Path(folder, "bundle.tar")
            with requests.get(source, stream=True, timeout=60) as answer, path.open("wb") as file:
                answer.raise_for_status()
                copyfileobj(answer.raw, file)
        with tarfile.open(path) as archive:
            archive.extractall(Path(folder, "remote"), filter="data")
        yield str(Path(folder, "remote"))


@contextmanager
def _repository(address: str) -> Iterator[Repo]:
    """The DVC repository of the working directory with one extra remote; its configuration file is not changed."""
    from dvc.repo import Repo

    remote: dict[str, Any] = {"url": address, "verify": True}
    with Repo(config={"remote": {_NAME: remote}, "core": {"analytics": False}}) as repo:
        yield repo


@contextmanager
def _faults(address: str, remedy: str) -> Iterator[None]:
    from dvc.exceptions import DvcException

    try:
        yield
    except (DvcException, OSError, tarfile.TarError) as error:
        detail = public_address(" ".join(str(error).split())[:300])
        raise LodestoneError(f"{public_address(address)}: {detail}", remedy) from error

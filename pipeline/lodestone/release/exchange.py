"""Results of a campaign from one machine to another, as a DVC remote: a folder, its tar, or a web server."""

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
    """Write all outputs that `dvc.lock` names, and what DVC knows of earlier runs.

    Args:
        target: A folder, which becomes or stays a DVC remote, or a file `*.tar`.

    Raises:
        LodestoneError: If an output is not there.
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
    """Restore the outputs that `dvc.lock` names, each checked against its hash.

    Args:
        source: What :func:`bundle` has written: a folder or a `*.tar`, or the http(s) address of either.

    Returns:
        The stages that are not up to date afterwards: their code, parameters or inputs are not those of `dvc.lock`.

    Raises:
        LodestoneError: If the source cannot be read, or lacks an output.
    """
    remedy = "check the address, and take the bundle that was made from this `dvc.lock`"
    with _faults(source, remedy), _unpacked(source) as address, _repository(address) as repo:
        # A web server lists no folders, and what ran earlier is found by listing.
        repo.pull(remote=_NAME, run_cache=not address.startswith(_WEB), force=True)
        return sorted(repo.status())


@contextmanager
def _unpacked(source: str) -> Iterator[str]:
    """Address of a DVC remote: the source itself, or a temporary folder with what its tar holds."""
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
    """The DVC repository of the working directory with one remote more; its configuration stays as it is."""
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
        told = public_address(" ".join(str(error).split())[:300])
        raise LodestoneError(f"{public_address(address)}: {told}", remedy) from error

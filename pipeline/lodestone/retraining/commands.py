"""git, DVC and gh as commands: lists of arguments, never through a shell, and one clear message for each fault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lodestone.errors import LodestoneError
from lodestone.runtime.environment import command_variables
from lodestone.runtime.processes import die_with_parent
from lodestone.runtime.redaction import public_address

_LONGEST = 300  # characters of what a command said
LODESTONE = (sys.executable, "-m", "lodestone")


def read(command: Sequence[str], folder: Path, *, remedy: str, variables: Mapping[str, str] | None = None) -> str:
    """Output of a command, without the line end.

    Raises:
        LodestoneError: If it fails or is not installed; with the last line that it said.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **(variables or {})}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise LodestoneError(f"{command[0]} is not installed", remedy) from error
    if done.returncode:
        raise LodestoneError(f"`{_readable(command)}` failed: {_last_line(done.stderr or done.stdout)}", remedy)
    return done.stdout.strip()


def read_or_none(command: Sequence[str], folder: Path) -> str | None:
    """Output of a command as it is, or ``None`` if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout


def text_at(commit: str, path: Path, folder: Path) -> str | None:
    """A file of a folder as a commit has it, or ``None`` if it has none."""
    return read_or_none(["git", "show", f"{commit}:./{path}"], folder)


def stream(command: Sequence[str], folder: Path) -> int:
    """Exit code of a command whose output everybody sees; it ends with this process."""
    sys.stdout.flush()
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | command_variables(),
        check=False,
        preexec_fn=lambda: die_with_parent(signal.SIGTERM),
    ).returncode


def _readable(command: Sequence[str]) -> str:
    return public_address(" ".join(command[:4]))


def _last_line(text: str) -> str:
    lines = text.strip().splitlines() or ["it said nothing"]
    return public_address(lines[-1])[:_LONGEST]

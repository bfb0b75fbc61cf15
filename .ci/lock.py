"""Write requirements.lock and requirements-cuda.lock: every package pinned, every file by its hash.

``make lock`` runs this. One lock serves Linux and macOS and all our versions of Python. What only the CUDA build of
torch needs is in a file of its own, since the CPU build must not fetch gigabytes for nothing. Hashes of torch are those
of PyPI, of the index of CPU builds, and of the wheels in ``$PIP_FIND_LINKS``, so that whichever pip finds is accepted.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
LOCK, CUDA_LOCK = ROOT / "requirements.lock", ROOT / "requirements-cuda.lock"
BUILT_FROM_SOURCE = ("gpaw",)  # its compiler and libraries are not everybody's
CPU_INDEX = "https://download.pytorch.org/whl/cpu/torch/"
_OF_CUDA = re.compile(r"(nvidia-|cuda-|triton).*sys_platform == 'linux'")
_NAME = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)
_HASH = re.compile(r"sha256[:=]([0-9a-f]{64})")


def main() -> None:
    """Resolve, add the hashes of torch that PyPI does not have, and write both files."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--keep", action="store_true", help="keep the versions that are locked already")
    blocks = [with_other_builds(block) for block in resolved(made.parse_args().keep)]
    of_cuda = [block for block in blocks if _OF_CUDA.match(block)]
    write(LOCK, [block for block in blocks if block not in of_cuda])
    write(CUDA_LOCK, of_cuda)


def resolved(keep: bool) -> list[str]:
    """One block of lines per package, as uv resolves them for all platforms."""
    with tempfile.TemporaryDirectory() as folder:
        pins, wanted = Path(folder) / "pins.txt", Path(folder) / "wanted.in"
        found = _NAME.findall(LOCK.read_text() + CUDA_LOCK.read_text()) if keep else []
        pins.write_text("\n".join("==".join(pin) for pin in found))
        wanted.write_text("setuptools\n")  # builds the editable install
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-package", "pip"]
        command += ["--constraint", str(pins), *extras(), "pyproject.toml", str(wanted)]
        environment = {"SSL_CERT_FILE": os.environ["PIP_CERT"]} if "PIP_CERT" in os.environ else {}
        text = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    return re.findall(r"^\S.*\n(?:[ ].*\n)*", text, re.MULTILINE)


def extras() -> Iterator[str]:
    """Options for all extras but those that are built from source, which `make install` would then ask of everybody."""
    for name in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]:
        if name not in BUILT_FROM_SOURCE:
            yield from ("--extra", name)


def with_other_builds(block: str) -> str:
    """The block of torch with the hashes of its other builds; any other block as it is."""
    name, version = _NAME.findall(block)[0]
    if name != "torch":
        return block
    hashes = sorted({*_HASH.findall(block), *of_cpu_index(version), *of_wheels(version)})
    return f"torch=={version}" + "".join(f" \\\n    --hash=sha256:{value}" for value in hashes) + "\n"


def of_cpu_index(version: str) -> Iterable[str]:
    """Hashes of the CPU builds; those that are locked already where the index cannot be reached."""
    try:
        with urlopen(CPU_INDEX, timeout=30) as answer:
            page = answer.read().decode()
    except (URLError, TimeoutError) as error:
        print(f"note: {CPU_INDEX} cannot be read ({error}): the hashes of its builds are kept, not renewed")
        return _HASH.findall(
            "".join(re.findall(rf"^torch=={re.escape(version)} .*\n(?: .*\n)*", LOCK.read_text(), re.M))
        )
    return _HASH.findall("".join(re.findall(rf'torch-{re.escape(version)}(?:%2B|\+)cpu-[^"]*"', page)))


def of_wheels(version: str) -> Iterator[str]:
    """Hashes of wheels on this machine."""
    for folder in os.environ.get("PIP_FIND_LINKS", "").split():
        for wheel in sorted(Path(folder).glob(f"torch-{version}*.whl")):
            with wheel.open("rb") as content:
                yield hashlib.file_digest(content, "sha256").hexdigest()


def write(path: Path, blocks: list[str]) -> None:
    """Replace the packages of a lock file below the comment at its head."""
    head = re.match(r"(?:#.*\n)*", path.read_text() if path.exists() else "")
    path.write_text((head[0] if head else "") + "".join(blocks))


if __name__ == "__main__":
    main()

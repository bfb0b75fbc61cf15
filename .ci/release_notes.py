"""Print the section of CHANGELOG.md that belongs to a tag: ``python .ci/release_notes.py v1.2.3``."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Refuse a tag that package, citation and changelog do not agree on."""
    version = sys.argv[1].removeprefix("v")
    _must_say(ROOT / "pipeline" / "lodestone" / "__init__.py", f'__version__ = "{version}"')
    _must_say(ROOT / "CITATION.cff", f"version: {version}")
    print(section((ROOT / "CHANGELOG.md").read_text(), version))


def section(changelog: str, version: str) -> str:
    """What stands under the heading of a version.

    Raises:
        SystemExit: If there is no such heading, or nothing stands under it.
    """
    heading = re.compile(rf"^## \[{re.escape(version)}\].*?$\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    match = heading.search(changelog)
    if match is None or not match["text"].strip():
        raise SystemExit(f"CHANGELOG.md has nothing under '## [{version}]': write what changed, then tag again")
    return match["text"].strip()


def _must_say(path: Path, line: str) -> None:
    if line not in path.read_text().splitlines():
        raise SystemExit(f"{path.relative_to(ROOT)} has no line {line!r}: set the version there, then tag again")


if __name__ == "__main__":
    main()

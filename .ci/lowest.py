"""Print the lowest version of every dependency that pyproject.toml allows, as constraints for pip."""

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
FLOOR = re.compile(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?>=(?P<version>[\w.]+)")


def main() -> None:
    """One line for each dependency of the library; the tools of developers stay as they are."""
    for requirement in tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]:
        match = FLOOR.match(requirement)
        if match is None:
            raise SystemExit(f"pyproject.toml: {requirement!r} has no lowest version: write name>=version")
        print(f"{match['name']}=={match['version']}")


if __name__ == "__main__":
    main()

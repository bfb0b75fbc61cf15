"""Read `params.yaml`: strict YAML, and messages that name the key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from lodestone.errors import LodestoneError

if TYPE_CHECKING:
    import yaml

from lodestone.config.params import Params

PARAMS_FILE = Path("params.yaml")


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check `params.yaml`.

    Raises:
        LodestoneError: Names the file, the key and what is allowed.
    """
    import yaml

    try:
        content = yaml.load(path.read_text(), _strict_loader())
    except OSError as error:
        raise LodestoneError(f"{path} cannot be read: {error}", "run from the root of the repository") from error
    except yaml.YAMLError as error:
        raise LodestoneError(f"{path} is no YAML: {error}", "correct the line named") from error
    return parse_params(content, path)


def parse_params(content: Any, path: Path = PARAMS_FILE) -> Params:
    """Check the content of a parameter file; see :func:`load_params`."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {_message(fault)}" for fault in error.errors()[:5]
        )
        raise LodestoneError(f"{path}: {told}", "correct these keys; docs/parameters.md lists every key") from error


def _strict_loader() -> type[yaml.SafeLoader]:
    """A safe loader that refuses equal keys in one mapping, of which YAML would silently keep the last."""
    import yaml

    class StrictLoader(yaml.SafeLoader):  # type: ignore[misc]  # no stubs in the lock
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value]
            for key in {key for key in keys if keys.count(key) > 1}:
                problem = f"the key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
            return dict(super().construct_mapping(node, deep))

    return StrictLoader


def _message(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "unknown parameter"
    return str(fault["msg"]).removeprefix("Value error, ")

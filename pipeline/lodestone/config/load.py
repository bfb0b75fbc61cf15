"""Reads `params.yaml`: strict YAML, with messages that name the key."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from lodestone.config.params import Params
from lodestone.config.registry import VIEWS
from lodestone.errors import LodestoneError

if TYPE_CHECKING:
    import yaml

PARAMS_FILE = Path("params.yaml")


def load_params(path: str | Path = PARAMS_FILE) -> Params:
    """Read and check `params.yaml`.

    Raises:
        LodestoneError: Names the file, the key and what is allowed.
    """
    return parse_params(read_content(path), path)


def read_content(path: str | Path) -> Any:
    """Content of a parameter file, unchecked.

    Raises:
        LodestoneError: If it cannot be read or is not YAML.
    """
    import yaml

    try:
        return yaml.load(_text(Path(path)), _strict_loader())  # noqa: S506 - a SafeLoader that is stricter still
    except OSError as error:
        raise LodestoneError(f"{path} cannot be read: {error}", "run from the root of the repository") from error
    except yaml.YAMLError as error:
        raise LodestoneError(f"{path} is no YAML: {error}", "correct the line named") from error


def parse_params(content: Any, path: str | Path = PARAMS_FILE) -> Params:
    """Check the content of a parameter file; see :func:`load_params`."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {_message(fault)}" for fault in error.errors()[:5]
        )
        raise LodestoneError(f"{path}: {problems}", "correct these keys; docs/parameters.md lists every key") from error


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")  # editors on Windows write a byte order mark first
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LodestoneError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} at position {error.start} is no UTF-8",
            "save the file as UTF-8, in which YAML is written; it may be Latin-1",
        ) from error


def known_keys(section: Iterable[str]) -> list[str]:
    """Keys that a section accepts; the section is given by its path."""
    fields: dict[str, Any] = {**_fields(Params), **{name: VIEWS.settings_model(name) for name in VIEWS.names()}}
    for key in section:
        fields = _fields(_model_in(fields[key])) if key in fields else fields  # else the name of a round
    return list(fields)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel]:
    """The model that a type is or contains."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(
        (model for argument in get_args(annotation) if (model := _model_in(argument)) is not BaseModel), BaseModel
    )


def _strict_loader() -> type[yaml.SafeLoader]:
    """A safe loader that rejects duplicate keys in a mapping; YAML would silently keep the last."""
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
        *section, key = map(str, fault["loc"])
        close = get_close_matches(key, known_keys(section), n=1)
        return f"unknown parameter; did you mean {close[0]}?" if close else "unknown parameter"
    return str(fault["msg"]).removeprefix("Value error, ")

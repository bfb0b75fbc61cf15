"""Where a snapshot comes from, in a form that is the same for two equal snapshots."""

from __future__ import annotations

import hashlib
from importlib.metadata import version

import numpy as np
import polars as pl

PACKAGES = ("moyopy", "numpy", "polars", "pymatgen")


def content_hash(table: pl.DataFrame) -> str:
    """Hash of the values of a table, as 32 hex digits.

    The order of rows and columns does not matter; nor do file formats and package versions, since the bytes of the
    values are hashed, not those of a file.
    """
    table = table.sort("material_id")
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(table.columns):
        digest.update(f"{name}:{table.schema[name]}:".encode())
        for buffer in _buffers(table[name]):
            digest.update(buffer)
    return digest.hexdigest()


def package_versions(*more: str) -> dict[str, str]:
    """Versions of the packages that can change a snapshot."""
    return {name: version(name) for name in sorted({*PACKAGES, *more})}


def _buffers(series: pl.Series) -> list[bytes]:
    if series.dtype == pl.String:
        return ["\x1f".join("\x00" if value is None else value for value in series).encode()]
    valid = series.is_not_null().to_numpy().tobytes()
    if isinstance(series.dtype, pl.List):
        values = series.explode(empty_as_null=False)
        return [valid, _bytes(series.list.len().fill_null(0).cast(pl.Int64)), _bytes(values)]
    return [valid, _bytes(series.fill_null(0))]


def _bytes(series: pl.Series) -> bytes:
    return np.ascontiguousarray(series.to_numpy()).tobytes()

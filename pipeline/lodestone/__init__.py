"""Lodestone: a data-versioned, reproducible pipeline that discovers stable crystals."""

__version__ = "0.1.0"

"""Element symbols by atomic number; they stand in :mod:`lodestone.config.elements`, since parameters name them, too."""

from lodestone.config.elements import ATOMIC_NUMBERS, SYMBOLS

__all__ = ["ATOMIC_NUMBERS", "SYMBOLS"]

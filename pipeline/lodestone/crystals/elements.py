"""Element symbols by atomic number; defined in :mod:`lodestone.config.elements`, as parameters use them too."""

from lodestone.config.elements import ATOMIC_NUMBERS, SYMBOLS

__all__ = ["ATOMIC_NUMBERS", "SYMBOLS"]

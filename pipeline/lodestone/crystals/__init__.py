"""Crystals as data: encoding, symmetry, periodic neighbor graphs."""

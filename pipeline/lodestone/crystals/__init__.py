"""Crystals as data: encoding, symmetry, periodic neighbour graphs."""

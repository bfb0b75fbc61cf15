"""Structures for a composition of which nothing else is known: by known prototypes, and at random along symmetry."""

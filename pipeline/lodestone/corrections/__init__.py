"""Correction schemes as versioned data: what each adds to the energy of a crystal, and the difference of two."""

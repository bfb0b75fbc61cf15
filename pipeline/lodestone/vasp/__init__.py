"""Calculations of VASP: their input files, a run and what is left of it, and what its energies are."""

"""Dynamical stability of discoveries: phonons by the campaign's oracle, and where an imaginary mode leads."""

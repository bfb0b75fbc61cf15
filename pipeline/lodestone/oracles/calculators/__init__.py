"""Calculators of ASE; what loads the package that it computes with is imported when an oracle first computes."""

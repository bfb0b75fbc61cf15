"""Calculators of ASE; imported when an oracle first computes, as they load what they compute with."""

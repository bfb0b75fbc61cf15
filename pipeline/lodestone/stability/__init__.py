"""Thermodynamic stability: elemental references, the convex hull, decomposition."""

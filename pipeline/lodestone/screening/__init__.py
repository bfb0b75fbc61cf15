"""Screens as many candidates as there are: families of prototypes, child graphs, a cascade of networks."""

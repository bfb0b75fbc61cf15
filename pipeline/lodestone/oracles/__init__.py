"""Oracles, which compute the energies of crystals, and the store of their labels."""

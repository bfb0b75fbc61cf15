"""Oracles: whatever can say what the energy of a crystal really is, and the store of what they said."""

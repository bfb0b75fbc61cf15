"""Snapshot sources: where the crystals of a campaign come from, with their provenance."""

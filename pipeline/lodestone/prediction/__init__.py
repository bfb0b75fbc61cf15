"""Questions about crystals of one's own: how stable they are by a trained ensemble and the hull of known phases."""

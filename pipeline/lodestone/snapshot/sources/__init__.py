"""Sources of crystals: one file each, with its settings; what is heavy is imported when a source is opened."""

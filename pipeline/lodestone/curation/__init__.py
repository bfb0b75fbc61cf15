"""From a snapshot to labelled, split crystals: validation, units, labelling, splits, drift."""

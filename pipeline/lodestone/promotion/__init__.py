"""Whether a candidate takes the place of the champion: both on the same frozen test crystals, by a paired bootstrap."""

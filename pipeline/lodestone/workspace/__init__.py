"""Campaign folders, created by `lodestone init`, or by `lodestone discover --params`."""

"""Folders that hold a campaign: made by `lodestone init`, or by `lodestone discover --params`."""

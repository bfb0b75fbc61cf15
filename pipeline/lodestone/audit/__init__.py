"""Discoveries held against phases that the campaign did not know: which survive, which are known, which fall."""

"""Fit the networks of one view: data, schedule, checkpoints, several processes."""

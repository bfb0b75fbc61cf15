"""The campaign report: what was found, how well the models did, and where the numbers come from."""

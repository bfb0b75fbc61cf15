"""The campaign report: the discoveries, how well the models did, and where the numbers come from."""

"""`DATASET.md` and `docs/parameters.md`, generated from the code."""

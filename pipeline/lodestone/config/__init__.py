"""Parameters: `params.yaml` by section, the chain of rounds, and how the file is read."""

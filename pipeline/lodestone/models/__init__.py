"""The networks, one file per view, their weights, and how they predict."""

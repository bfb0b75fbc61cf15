"""Two views of a crystal: its composition and its structure. Twin modules, each with a dataset and a network."""

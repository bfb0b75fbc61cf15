"""What is new about a crystal: composition, prototype, structure, or only the order of its elements."""

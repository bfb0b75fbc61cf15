"""The chemistry of substitution: probabilities, oxidation states, volumes, unrelaxed structures."""

"""Tables of substitution probabilities, one file each."""

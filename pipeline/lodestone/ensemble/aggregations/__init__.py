"""Ways to combine the members of all views into one prediction, one file each."""

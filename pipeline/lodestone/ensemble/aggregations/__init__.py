"""Ways to make one prediction of the members of all views, one file each."""

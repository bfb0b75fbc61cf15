"""What a release rests on: bounds that its figures must keep, and the bundle that restores its results elsewhere."""

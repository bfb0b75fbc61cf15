"""Retraining: what is new is taken, learned, judged, and put forward as a pull request; the same steps anywhere."""

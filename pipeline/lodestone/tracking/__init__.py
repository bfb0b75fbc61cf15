"""The campaign in MLflow; the only room that imports it."""

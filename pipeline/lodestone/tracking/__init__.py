"""The campaign in MLflow; the only subpackage that imports it."""

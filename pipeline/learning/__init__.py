"""Training, ensembles, storage of models, metrics."""

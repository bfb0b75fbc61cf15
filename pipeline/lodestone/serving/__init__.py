"""Predictions over HTTP: what a request may be, who may ask, and how questions of many are answered together."""

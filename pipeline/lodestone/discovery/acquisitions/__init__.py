"""Acquisitions, one function each: which candidates are worth the oracle, the best first."""

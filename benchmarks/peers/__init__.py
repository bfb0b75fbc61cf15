"""Ours and its peers trained side by side: same crystals, same seconds, one thread each."""

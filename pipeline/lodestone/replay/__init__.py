"""A campaign replayed on labels that exist already: how much faster than chance a policy finds what is stable."""

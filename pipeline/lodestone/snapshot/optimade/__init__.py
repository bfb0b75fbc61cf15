"""Source ``optimade``: any provider of the OPTIMADE interface, without a key."""

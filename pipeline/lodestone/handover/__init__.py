"""What a laboratory gets of a finished campaign: one folder for each discovery, and all of them as a database."""

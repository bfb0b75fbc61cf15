"""Files of a campaign: their paths, and tables read and written under their contracts."""

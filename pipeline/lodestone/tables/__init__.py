"""Files of a campaign: where they lie, and tables read and written under their contracts."""

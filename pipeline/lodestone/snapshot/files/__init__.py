"""Source ``file``: tables and folders of structures in the formats of the field."""

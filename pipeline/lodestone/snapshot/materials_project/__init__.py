"""Source ``materials_project``: the thermo documents of the Materials Project."""

"""The builder of the reference snapshot: crystals this project makes itself and labels with CHGNet, not with DFT."""

"""Where the ensemble is that ships with the package."""

from pathlib import Path

PRETRAINED = Path(__file__).with_name("pretrained")
SHIPPED = "shipped"  # its name in `params.yaml`

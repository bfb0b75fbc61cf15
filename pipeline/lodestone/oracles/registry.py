"""The oracle that the parameters name."""

from lodestone.config.sections import OracleParams
from lodestone.oracles.base import Oracle, RelaxationSettings
from lodestone.oracles.chgnet import CHGNetOracle


def make_oracle(params: OracleParams) -> Oracle:
    """Make the oracle of a campaign; its model is loaded on first use."""
    return CHGNetOracle(RelaxationSettings(**params.model_dump(exclude={"name"})))

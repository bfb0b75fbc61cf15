"""The oracle that the parameters name."""

from pipeline.oracles.chgnet import CHGNetOracle
from pipeline.oracles.protocol import Oracle, RelaxationSettings
from pipeline.params import OracleParams


def make_oracle(params: OracleParams) -> Oracle:
    """Make the oracle of a campaign; its model is loaded on first use."""
    return CHGNetOracle(RelaxationSettings(**params.model_dump(exclude={"name"})))

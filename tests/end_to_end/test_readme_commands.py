"""The commands of the README that need a finished campaign, run as they stand there."""

import shlex
import sys

import pytest

from readme import IN_A_CAMPAIGN

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize("command", sorted(IN_A_CAMPAIGN))
def test_a_command_of_the_readme_works(command, straight, tmp_path):
    campaign = straight.campaign.copy(tmp_path / "copy")
    program, *arguments = shlex.split(IN_A_CAMPAIGN[command])
    outcome = campaign.run(sys.executable, "-m", program, *arguments)
    assert outcome.code == 0, outcome.out + outcome.err
    widest = max(len(line) for line in outcome.out.splitlines())
    assert widest < 300, "nobody can read that in a terminal"

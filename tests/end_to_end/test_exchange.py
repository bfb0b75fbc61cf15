"""Results that were computed on one machine are restored on another, which then computes nothing."""

import shutil

import pytest
from test_faults import assert_refused
from tiny_campaign import Campaign

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def clone(straight, tmp_path) -> Campaign:
    """A fresh clone of the finished campaign's repository, `dvc.lock` included."""
    campaign, finished = Campaign(tmp_path / "clone"), straight.campaign.folder
    cloned = straight.campaign.run("git", "clone", "-q", str(finished), str(campaign.folder))
    assert cloned.code == 0, cloned.err
    shutil.copyfile(finished / "dvc.lock", campaign.folder / "dvc.lock")
    return campaign


def lodestone(campaign: Campaign, *arguments: str):
    return campaign.run("python", "-m", "lodestone", *arguments)


@pytest.mark.parametrize("name", ["remote", "campaign.tar"])
def test_after_fetch_nothing_is_computed(straight, clone, tmp_path, name):
    bundled = lodestone(straight.campaign, "bundle", str(tmp_path / name))
    assert bundled.code == 0, bundled.err
    fetched = lodestone(clone, "fetch", str(tmp_path / name))
    assert fetched.code == 0, fetched.err
    assert "nothing to compute" in fetched.out
    again = clone.discover()
    assert (again.code, again.ran) == (0, [])
    assert clone.verified() == {}
    expected = {name: content for name, content in straight.campaign.files().items() if name in clone.files()}
    assert {"reports/campaign.html", "data/rounds/round_2/crystals.parquet"} <= expected.keys()
    assert {path: content for path, content in clone.files().items() if path in expected} == expected


def test_what_does_not_fit_is_told(straight, clone, tmp_path):
    assert_refused(lodestone(clone, "fetch"), "nothing says where the results are", "LODESTONE_REMOTE")
    assert_refused(lodestone(clone, "fetch", str(tmp_path / "nowhere")), "nowhere is no folder", "LODESTONE_REMOTE")
    (tmp_path / "empty").mkdir()
    assert_refused(lodestone(clone, "fetch", str(tmp_path / "empty")), "empty: ", "dvc.lock")
    assert lodestone(straight.campaign, "bundle", str(tmp_path / "full")).code == 0
    clone.edit(lambda params: params["discovery"].update(threshold=0.5))
    fetched = lodestone(clone, "fetch", str(tmp_path / "full"))
    assert "active_learning@round_0" in fetched.out

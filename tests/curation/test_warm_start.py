"""What the first round starts from."""

import hashlib

import pytest

from lodestone.curation.warm_start import lay_warm_start
from lodestone.errors import LodestoneError
from lodestone.models.weights import load_view
from lodestone.prediction.shipped import PRETRAINED


def test_networks_of_the_views_are_copied_with_their_digests(tmp_path):
    digests = lay_warm_start(PRETRAINED, ["structure", "of_another_package"], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"structure"}
    assert digests == {
        str(path.relative_to(tmp_path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((tmp_path / "structure").iterdir())
    }
    assert len(load_view(tmp_path / "structure").members) >= 4


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_networks_is_refused(tmp_path, folder):
    with pytest.raises(LodestoneError, match="has networks of none of the views composition, structure") as error:
        lay_warm_start(tmp_path / folder, ["composition", "structure"], tmp_path / "target")
    assert "lodestone pretrain" in error.value.remedy

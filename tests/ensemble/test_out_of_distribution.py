"""What is unlike the training crystals, and why."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lodestone.crystals.crystal import Crystal
from lodestone.ensemble.out_of_distribution import OutOfDistribution, neighbor_distances, remembered
from lodestone.ensemble.seen_systems import SeenSystems, hash_of
from lodestone.errors import LodestoneError


def crystal(*numbers):
    return Crystal(4 * np.eye(3), np.array(numbers), np.linspace(0, 0.9, 3 * len(numbers)))


NA, CL, K, F, O = 11, 17, 19, 9, 8  # noqa: E741
TRAIN = [crystal(NA, CL), crystal(NA, NA, O), crystal(K, CL), crystal(K, O), crystal(CL, O), crystal(K, NA, CL)]


def both(latents):
    """Unrelaxed structures lie twice as far from what was learned from."""
    return {"relaxed": latents, "unrelaxed": 2 * latents}


@pytest.fixture
def out_of_distribution():
    generator = np.random.default_rng(0)
    return OutOfDistribution.fit(
        TRAIN * 50, generator.normal(0, 1, (300, 4)), both(generator.normal(0, 1, (20_000, 4)))
    )


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((CL, NA, NA), ""),
        ((NA,), "system"),  # the element alone was never seen
        ((NA, CL, O), "system"),  # each pair was
        ((K, NA, O), "system"),
        ((NA, F), "element"),
        ((F, K, CL, O), "element"),
    ],
)
def test_chemistry(out_of_distribution, numbers, reason):
    assert out_of_distribution.reasons([crystal(*numbers)], np.zeros((1, 4))) == [reason]


def test_a_pair_that_was_never_together():
    seen = OutOfDistribution.fit([crystal(NA, CL), crystal(K, O)], np.zeros((2, 4)), both(np.zeros((2, 4))))
    assert seen.reasons([crystal(NA, O), crystal(K, NA, CL)], np.zeros((2, 4))) == ["pair", "pair"]


def test_far_from_every_training_crystal_in_latent_space(out_of_distribution):
    latents = np.array([[0.0] * 4, [9.0] * 4, [9.0] * 4])
    told = out_of_distribution.reasons([crystal(NA, CL), crystal(NA, CL), crystal(NA, F)], latents)
    assert told == ["", "latent", "element,latent"]


def test_about_one_validation_crystal_in_a_hundred_is_far(out_of_distribution):
    latents = np.random.default_rng(1).normal(0, 1, (20_000, 4))
    told = out_of_distribution.reasons([crystal(NA, CL)] * 20_000, latents)
    assert told.count("latent") == pytest.approx(200, abs=60)
    told = out_of_distribution.reasons([crystal(NA, CL)] * 20_000, 2 * latents, "unrelaxed")
    assert told.count("latent") == pytest.approx(200, abs=60)


def test_distance_is_that_to_the_fifth_nearest():
    known = np.arange(10.0)[:, None]
    assert neighbor_distances(np.array([[0.0], [4.5], [20.0]]), known) == pytest.approx([4.0, 2.5, 15.0])
    assert neighbor_distances(np.array([[1.0]]), known[:2]) == pytest.approx([1.0])  # the last there is
    assert neighbor_distances(np.array([[1.0]]), known[:0]).tolist() == [np.inf]
    many = np.random.default_rng(0).normal(0, 1, (5000, 3))  # more than one chunk
    one_by_one = [np.sort(np.linalg.norm(many[:50] - point, axis=1))[4] for point in many]
    assert neighbor_distances(many, many[:50]) == pytest.approx(one_by_one, abs=1e-6)


def test_saved_and_loaded_alike_and_the_same_bytes_whatever_the_order(out_of_distribution, tmp_path):
    out_of_distribution.save(tmp_path / "one")
    loaded = OutOfDistribution.load(tmp_path / "one")
    assert (loaded.systems, loaded.thresholds) == (out_of_distribution.systems, out_of_distribution.thresholds)
    assert np.array_equal(loaded.latents, out_of_distribution.latents)
    names = ["Cl-K-Na", "Cl-O", "K-O", "Cl-K", "Na-O", "Cl-Na", "Cl-O"]
    replace(out_of_distribution, systems=SeenSystems.named(names)).save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_no_list_of_systems_can_be_read_from_a_file(out_of_distribution, tmp_path):
    out_of_distribution.save(tmp_path / "one")
    shapes = {name: tensor.shape for name, tensor in load_file(tmp_path / "one").items() if name != "latents"}
    thresholds = {"threshold/relaxed": (1,), "threshold/unrelaxed": (1,)}
    assert shapes == {"elements": (4,), "pairs": (6, 2), "system_hashes": (6,)} | thresholds


def test_a_hash_is_the_same_on_every_machine():
    assert hash_of((NA, CL)) == 0x96626793832CFFD4


def test_files_of_earlier_versions_are_read(out_of_distribution, tmp_path):
    listed = np.array([[8, 11, 0], [8, 17, 0], [8, 19, 0], [11, 17, 0], [17, 19, 0], [11, 17, 19]], dtype=np.uint8)
    limits = {f"threshold/{name}": np.array([value]) for name, value in out_of_distribution.thresholds.items()}
    save_file({"systems": listed, "latents": out_of_distribution.latents, **limits}, tmp_path / "old")
    OutOfDistribution.load(tmp_path / "old").save(tmp_path / "converted")
    out_of_distribution.save(tmp_path / "new")
    assert (tmp_path / "converted").read_bytes() == (tmp_path / "new").read_bytes()


def test_a_file_of_another_kind_is_refused(tmp_path):
    limits = {f"threshold/{name}": np.ones(1) for name in ("relaxed", "unrelaxed")}
    save_file({"latents": np.zeros((2, 4)), **limits}, tmp_path / "other")
    with pytest.raises(LodestoneError, match=r"other cannot be read: 'elements'"):
        OutOfDistribution.load(tmp_path / "other")


def test_at_most_two_thousand_latent_vectors_are_kept():
    rows = remembered(5000)
    assert len(rows) == 2000
    assert (rows[0], rows[-1]) == (0, 4999)
    assert set(np.diff(rows)) == {2, 3}
    assert remembered(3).tolist() == [0, 1, 2]
    assert not len(remembered(0))


@pytest.mark.parametrize("content", [None, b"", b"not safetensors"])
def test_damaged_files_are_named(tmp_path, content):
    if content is not None:
        (tmp_path / "out_of_distribution.safetensors").write_bytes(content)
    with pytest.raises(LodestoneError, match=r"out_of_distribution\.safetensors cannot be read"):
        OutOfDistribution.load(tmp_path / "out_of_distribution.safetensors")

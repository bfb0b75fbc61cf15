import json
import pickle

import numpy as np
import pytest

from lodestone.errors import LodestoneError
from lodestone.models.weights import SavedView, load_view, save_view


@pytest.fixture
def saved(fitted, tiny, baseline):
    return SavedView("structure", tiny["structure"], baseline, [fitted["structure"].weights] * 2)


@pytest.fixture
def folder(saved, tmp_path):
    save_view(saved, tmp_path / "models" / "structure")
    return tmp_path / "models" / "structure"


def test_a_view_comes_back_exactly(saved, folder):
    found = load_view(folder)
    assert (found.view, found.params, type(found.params)) == (saved.view, saved.params, type(saved.params))
    assert found.baseline.scale == saved.baseline.scale
    assert np.array_equal(found.baseline.coefficients, saved.baseline.coefficients)
    assert np.array_equal(found.baseline.seen, saved.baseline.seen)
    assert 0 < saved.baseline.seen.sum() < len(saved.baseline.seen)
    assert len(found.members) == 2
    for weights in found.members:
        assert set(weights) == set(saved.members[0])
        assert all(np.array_equal(value, saved.members[0][name]) for name, value in weights.items())
        assert all(value.dtype == saved.members[0][name].dtype for name, value in weights.items())


def test_only_safetensors_and_json_are_written_and_always_the_same_bytes(saved, folder, tmp_path):
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "member_0.safetensors",
        "member_1.safetensors",
    ]
    reordered = SavedView(saved.view, saved.params, saved.baseline, [dict(reversed(w.items())) for w in saved.members])
    save_view(reordered, tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_another_format_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"format_version": 99}))
    with pytest.raises(LodestoneError, match="format 99, this version reads 2"):
        load_view(folder)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: (folder / "member_1.safetensors").unlink(), "member_1.safetensors cannot be read"),
        (lambda folder: _truncate(folder / "member_0.safetensors", 2), "member_0.safetensors cannot be read"),
        (lambda folder: _truncate(folder / "member_0.safetensors", 10_000), "member_0.safetensors cannot be read"),
        (lambda folder: (folder / "config.json").unlink(), "config.json cannot be read"),
        (lambda folder: _truncate(folder / "config.json", 2), "config.json cannot be read"),
    ],
    ids=["missing member", "half a member", "empty member", "no config", "half a config"],
)
def test_missing_and_damaged_files_are_named(folder, damage, named):
    damage(folder)
    with pytest.raises(LodestoneError, match=named):
        load_view(folder)


class _Malicious:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


@pytest.mark.parametrize("name", ["config.json", "member_0.safetensors"])
def test_a_pickle_in_place_of_a_file_is_refused_and_not_run(folder, name):
    (folder / name).write_bytes(pickle.dumps(_Malicious()))
    with pytest.raises(LodestoneError, match=rf"{name} cannot be read"):
        load_view(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"width": 24}, r"member_0\.safetensors does not fit its parameters: .* should be \(.*24"),
        ({"layers": 1}, r"member_0\.safetensors does not fit its parameters: layers\.\d\."),
        ({"layers": 3}, r"member_0\.safetensors does not fit its parameters: layers\.\d\."),
        ({"widht": 24}, r"config\.json is damaged"),
        ({"width": -1}, r"config\.json is damaged"),
    ],
    ids=str,
)
def test_a_config_of_another_network_is_refused(folder, change, told):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"params": config["params"] | change}))
    with pytest.raises(LodestoneError, match=told):
        load_view(folder)


@pytest.mark.parametrize("change", [{"view": "spectrum"}, {"baseline": {}}, {"members": None}], ids=str)
def test_a_config_that_says_nonsense_is_refused(folder, change):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(LodestoneError, match=r"config\.json is damaged"):
        load_view(folder)


def test_weights_that_are_no_numbers_are_refused(saved, tmp_path):
    name = next(name for name in saved.members[0] if name.endswith("weight"))
    broken = {**saved.members[0], name: np.full_like(saved.members[0][name], np.nan)}
    save_view(SavedView(saved.view, saved.params, saved.baseline, [saved.members[0], broken]), tmp_path)
    with pytest.raises(LodestoneError, match=rf"member_1\.safetensors is damaged: {name} is not finite"):
        load_view(tmp_path)


def _truncate(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // part])

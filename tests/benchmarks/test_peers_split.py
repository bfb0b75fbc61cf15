import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lodestone.errors import LodestoneError
from peers.split import digest, draw_split, read_part, read_source, training_file, write_parts

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("LODESTONE_SHARED_DATA", ROOT / ".." / "shared" / "data"))
LATTICE = [[4.0, 0.0, 0.0], [0.5, 5.0, 0.0], [0.0, 0.25, 6.0]]


def source(systems: int = 60) -> pl.DataFrame:
    """Systems of one to five crystals each."""
    chemsys = [f"A{system:02}" for system in range(systems) for _ in range(1 + system % 5)]
    structure = json.dumps({"lattice": LATTICE, "species": ["Na", "Cl"], "frac_coords": [[0, 0, 0], [0.5, 0.4, 0.3]]})
    return pl.DataFrame(
        {
            "material_id": [f"x-{row:03}" for row in range(len(chemsys))],
            "chemsys": chemsys,
            "formation_energy_per_atom": np.linspace(-2.0, 1.0, len(chemsys)),
            "energy_above_hull": np.linspace(0.0, 1.0, len(chemsys)),
            "structure": structure,
        }
    )


def systems_of(part: pl.DataFrame) -> set[str]:
    return set(part["chemsys"])


@pytest.mark.parametrize("seed", range(8))
def test_no_chemical_system_is_in_two_parts(seed):
    split = draw_split(source(), largest=60, seed=seed, n_test=31, n_validation=17)
    assert (len(split.train), len(split.validation), len(split.test)) == (60, 17, 31)
    assert not systems_of(split.train) & (systems_of(split.validation) | systems_of(split.test))
    assert not systems_of(split.validation) & systems_of(split.test)


def test_training_sets_are_nested_and_the_test_set_stays():
    small, large = (draw_split(source(), largest=n, seed=1, n_test=30, n_validation=10) for n in (20, 80))
    assert small.test.equals(large.test)
    assert small.validation.equals(large.validation)
    assert small.train.equals(large.train.head(20))


def test_the_draw_depends_on_the_seed_and_on_no_order_of_rows():
    table = source()
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=3)
    draws = [draw_split(rows, 40, seed, 30, 10) for rows, seed in ((table, 0), (shuffled, 0), (table, 1))]
    assert digest(draws[0], 40) == digest(draws[1], 40) != digest(draws[2], 40)


@pytest.mark.parametrize("systems", [60, 10, 0])
def test_too_few_crystals_are_named(systems):
    with pytest.raises(LodestoneError, match="200 training crystals are asked for"):
        draw_split(source(systems), largest=200, seed=0, n_test=30, n_validation=10)


def test_a_missing_file_says_how_to_name_it(tmp_path):
    with pytest.raises(LodestoneError, match=r"mp_structures\.parquet does not exist") as fault:
        read_source(tmp_path)
    assert "LODESTONE_SHARED_DATA" in fault.value.remedy


def test_workers_read_the_crystals_that_were_drawn(tmp_path):
    split = draw_split(source(), 40, 0, 30, 10)
    write_parts(split, [20, 40], tmp_path)
    part = read_part(training_file(tmp_path, 20))
    assert part.energies.tolist() == split.train["formation_energy_per_atom"].head(20).to_list()
    assert part.crystals[0].lattice.tolist() == LATTICE
    assert part.crystals[0].species == ["Na", "Cl"]


@pytest.mark.skipif(not (SHARED / "mp_structures.parquet").is_file(), reason=f"no mp_structures.parquet in {SHARED}")
def test_the_materials_project_has_enough_for_the_largest_size():
    split = draw_split(read_source(SHARED), largest=20_000, seed=0)
    assert (len(split.train), len(split.validation), len(split.test)) == (20_000, 500, 1_500)
    assert not systems_of(split.train) & systems_of(split.test)

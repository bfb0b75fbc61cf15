"""What the page shows of each find: structure, hull, powder pattern, judges, files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lodestone.report.collect import CampaignData
from lodestone.report.discoveries import ON_HULL
from lodestone.report.finds import find_panels, one_per_formula
from lodestone.report.html import embedded
from lodestone.report.moles import in_moles
from lodestone.report.page import render
from lodestone.report.periodic import element_cells
from lodestone.report.structure_files import parsed

# Clicks as a reader does, then writes what is to be seen into the title, which `--dump-dom` shows.
CLICKS = """
<script>window.addEventListener("load", () => setTimeout(() => {
  const rows = () => [...document.querySelectorAll("#discovery-table tbody tr:not([hidden])")];
  const links = () => rows().map((row) => row.querySelector("a"));
  const seen = { all: rows().length };
  const field = document.getElementById("filter");
  const words = links()[0].closest("tr").dataset.words.split(" ");
  field.value = words.slice(1, 3).join(" ");
  field.dispatchEvent(new Event("input"));
  seen.filtered = links().map((link) => link.closest("tr").dataset.words);
  seen.words = words.slice(1, 3);
  field.value = "";
  field.dispatchEvent(new Event("input"));
  links()[1].click();
  setTimeout(() => {
    seen.open = document.getElementById("find").open;
    seen.heading = document.getElementById("find-title").textContent;
    seen.link = links()[1].textContent;
    seen.drawn = document.querySelectorAll("#find-powder .bars path").length;
    seen.structure = !!document.querySelector("#find-structure canvas");
    seen.file = document.getElementById("find-cif").download;
    document.getElementById("next").click();
    setTimeout(() => {
      seen.next = document.getElementById("find-title").textContent;
      seen.third = links()[2].textContent;
      document.getElementById("close").click();
      seen.closed = !document.getElementById("find").open;
      document.title = JSON.stringify(seen);
    }, 500);
  }, 500);
}, 200));</script>
"""


@pytest.fixture(scope="module")
def finds(campaign: CampaignData, found: pl.DataFrame) -> pl.DataFrame:
    return one_per_formula(found, campaign.verifications)


@pytest.fixture(scope="module")
def panels(campaign: CampaignData, finds: pl.DataFrame) -> dict:
    return find_panels(campaign, finds)


def test_one_row_per_formula_those_on_the_hull_and_the_shallow_ones_first(
    finds: pl.DataFrame, found: pl.DataFrame
) -> None:
    assert sorted(finds["formula_pretty"]) == sorted(found["formula_pretty"].unique())
    assert finds["n_polymorphs"].sum() == found.height - finds.height > 0
    lowest = dict(found.group_by("formula_pretty").agg(pl.col("formation_energy_per_atom").min()).iter_rows())
    assert dict(finds.select("formula_pretty", "formation_energy_per_atom").iter_rows()) == lowest
    fell = (finds["energy_above_hull"] > ON_HULL).to_list()
    assert fell == sorted(fell)
    on_hull = finds.filter(pl.col("energy_above_hull") <= ON_HULL)
    assert on_hull["energy_above_hull_start"].is_sorted(descending=True)


def test_each_panel_holds_its_crystal(panels: dict, finds: pl.DataFrame) -> None:
    assert set(panels) == set(finds["material_id"])
    for row in finds.iter_rows(named=True):
        panel = panels[row["material_id"]]
        cell = parsed(panel["cif"])
        assert cell.composition.reduced_formula == row["formula_pretty"]
        assert f"{len(cell)} atoms in the cell" in panel["about"]
        assert panel["file"] == f"{row['formula_pretty']}_{row['material_id']}.cif"
        assert panel["powder"]["data"][0]["x"]


def test_atoms_drawn_are_those_of_the_cell_and_of_its_faces(panels: dict) -> None:
    """Each drawn atom is one of the cell, or an image of one by whole edges."""
    for panel in panels.values():
        cell = parsed(panel["cif"])
        lines = panel["atoms"].splitlines()
        atoms = [line.split() for line in lines[2:]]
        assert int(lines[0]) == len(atoms) >= len(cell)
        places = cell.lattice.get_fractional_coords([[float(x) for x in atom[1:]] for atom in atoms])
        for atom, place in zip(atoms, places, strict=True):
            assert np.all((place > -0.01) & (place < 1.01))
            away = [np.abs(place - site.frac_coords - np.round(place - site.frac_coords)).max() for site in cell]
            assert cell[int(np.argmin(away))].specie.symbol == atom[0]
            assert min(away) < 2e-3


def test_hulls_of_up_to_four_elements_are_drawn(panels: dict, finds: pl.DataFrame) -> None:
    for row in finds.iter_rows(named=True):
        names = [text for trace in panels[row["material_id"]]["hull"]["data"] for text in trace.get("text") or ()]
        assert any(row["material_id"] in text for text in names)


@pytest.mark.parametrize(
    ("text", "formula", "moles"),
    [
        ("0.50 O2 + 0.30 Rb2O + 0.20 Nb", "RbNbO3", "1.25 O2 + 0.5 Rb2O + Nb"),
        ("0.57 K2O + 0.43 SnO2", "K4SnO4", "2 K2O + SnO2"),
        ("1.00 NaCl", "NaCl", "NaCl, another phase of it"),
        ("", "NaCl", ""),
    ],
)
def test_decompositions_in_moles(text: str, formula: str, moles: str) -> None:
    assert in_moles(text, formula) == moles


def test_periodic_table_counts_what_was_tried_and_found(campaign: CampaignData) -> None:
    cells = {cell["symbol"]: cell for cell in element_cells(campaign)}
    assert len({(cell["row"], cell["column"]) for cell in cells.values()}) == len(cells)
    assert (cells["Na"]["row"], cells["Na"]["column"]) == (3, 1)
    with_sodium = campaign.verifications.filter(pl.col("chemsys").str.split("-").list.contains("Na"))
    assert cells["Na"]["tried"] == with_sodium.height > 0
    assert cells["Na"]["found"] == with_sodium["is_stable"].sum()


def test_no_text_ends_the_script_that_holds_the_panels() -> None:
    text = embedded({"caveat": "</script><script>alert(1)</script>"})
    assert "<" not in text
    assert json.loads(text) == {"caveat": "</script><script>alert(1)</script>"}


@pytest.mark.slow
def test_a_reader_filters_clicks_and_sees_a_find(campaign: CampaignData, found: pl.DataFrame, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no Chromium is installed")
    page = tmp_path / "campaign.html"
    page.write_text(render(campaign, found).replace("</body>", CLICKS + "</body>"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}", "--use-gl=angle"]
    command += ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--virtual-time-budget=20000", "--dump-dom"]
    shown = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=300, check=True).stdout
    title = re.search(r"<title>(\{.*?\})</title>", shown)
    assert title is not None, shown[:300]
    seen = json.loads(title[1])
    assert seen["all"] == found["formula_pretty"].n_unique() > len(seen["filtered"]) > 0
    assert all(set(seen["words"]) <= set(words.split(" ")) for words in seen["filtered"])
    assert seen["open"]
    assert seen["closed"]
    assert seen["structure"]
    assert seen["heading"] == seen["link"].split(" ")[0]
    assert seen["next"] == seen["third"].split(" ")[0] != seen["heading"]
    assert seen["drawn"] > 3
    assert seen["file"].startswith(f"{seen['heading']}_")

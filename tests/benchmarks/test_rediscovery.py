"""Rediscovery in time: who was known when, what counts as a hit, and what is counted."""

import numpy as np
import polars as pl
import pytest

from dated import candidates, deal_by_date
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.discovery.generators.base import Proposal
from lodestone.errors import LodestoneError
from lodestone.replay.campaign import Run
from rediscovery import figures

TABLE = pl.DataFrame(
    {
        "material_id": list("abcdefg"),
        "formula": ["NaCl", "NaCl", "KCl", "KCl", "LiF", "LiF", "CsI"],
        "created_at": ["2012-01-01", "2016-01-01", "2016-01-01", "2017-01-01", None, "2016-01-01", "2011-05-02"],
        "energy_above_hull": [0.0, 0.1, 0.0, 0.2, 0.0, 0.0, 0.0],
    }
)


def test_entries_are_dealt_by_the_first_day_of_their_formula():
    dealt = deal_by_date(TABLE, "2015-01-01")
    assert dealt.known["material_id"].to_list() == ["a", "g"]
    assert dealt.later["material_id"].to_list() == ["c", "d"]  # NaCl was known before, LiF may have been
    assert dealt.old_formulas == {"NaCl", "LiF", "CsI"}


@pytest.mark.parametrize("day", ["2010-01-01", "2018-01-01"])
def test_a_day_that_leaves_nothing_is_refused(day):
    with pytest.raises(LodestoneError, match=f"{day} leaves .*") as error:
        deal_by_date(TABLE, day)
    assert "2011-05-02 to 2017-01-01" in str(error.value)


def test_a_table_without_days_is_refused():
    undated = TABLE.with_columns(created_at=pl.lit(None, dtype=pl.String))
    with pytest.raises(LodestoneError, match="2015-01-01 leaves 0 entries"):
        deal_by_date(undated, "2015-01-01")


def rock_salt(first, second):
    primitive = [[0, 2.8, 2.8], [2.8, 0, 2.8], [2.8, 2.8, 0]]
    return Crystal(primitive, [first, second], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_a_hit_has_formula_and_prototype_of_a_stable_entry():
    salts = [rock_salt(11, 17), rock_salt(19, 17), rock_salt(19, 35), rock_salt(3, 9)]
    cesium = Crystal(4.1 * np.eye(3), [19, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])  # KCl in another prototype
    known = describe(salts[:1]).with_columns(formation_energy_per_atom=pl.lit(-2.0))
    hits = frozenset(describe(salts[1:2])["decorated_prototype"])
    proposals = [("substitution", Proposal.of(crystal)) for crystal in (salts[1], cesium, salts[2], salts[3])]
    pool = candidates(proposals, known, hits, frozenset({"NaCl", "LiF"}))
    assert pool.table["formula_pretty"].to_list() == ["KCl", "KCl", "KBr"]
    assert pool.stable.tolist() == [True, False, False]
    assert pool.table["hull"].to_list() == [0, 0, 0]  # nothing but the elements competes


def test_precision_and_recall_by_budget():
    run = Run("ours", 0, 8, 3, [[True, False, True, False]], [False, True, False, False])
    found = figures(run, [2, 4], 10)
    assert (found["2"]["precision"]["rate"], found["4"]["precision"]["rate"]) == (0.5, 0.5)
    assert found["4"]["recall_of_proposed"]["rate"] == pytest.approx(2 / 3)
    assert found["4"]["recall_of_all"]["rate"] == 0.2
    assert found["4"]["precision"]["low"] < 0.5 < found["4"]["precision"]["high"]

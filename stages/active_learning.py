"""One round of active learning: ``python stages/active_learning.py ROUND NEXT``."""

import sys
from functools import partial
from shutil import copytree

from lodestone.config.load import load_params
from lodestone.curation.difference import Difference
from lodestone.curation.splits import crystals_contract
from lodestone.discovery.round import choose_candidates, verify_choice
from lodestone.discovery.state import RoundState
from lodestone.ensemble.ensemble import load_ensemble
from lodestone.oracles.pool import label_all
from lodestone.oracles.registry import make_oracle
from lodestone.oracles.store import LabelStore, default_path
from lodestone.schemas import Attempts, Candidates, Crystals, Phases, References, Verifications
from lodestone.stage import run_stage
from lodestone.tables.files import read_json, read_table, write_json, write_table
from lodestone.tables.layout import METRICS, Layout


def main() -> None:
    """Read what is known and the models of the round; write its findings and what the next round starts from."""
    name, following = sys.argv[1:]
    params, layout = load_params(), Layout()
    files, after = layout.round(name), layout.round(following)
    tables = (
        read_table(files.crystals, Crystals),
        read_table(files.attempts, Attempts),
        read_table(layout.references, References),
        read_table(layout.phases, Phases),
    )
    state = RoundState(*tables)
    difference = Difference.from_dict(read_json(layout.difference))
    choice = choose_candidates(name, state, load_ensemble(files.folder), params, difference)
    write_table(choice.candidates, files.candidates, Candidates, sort_by="material_id")  # who verifies may need them
    with LabelStore(default_path()) as store:
        label = partial(label_all, make_oracle(params.oracle), store=store, title=f"verifying the candidates of {name}")
        result = verify_choice(name, state, choice, params, label, difference=difference)
    write_table(result.verifications, files.verifications, Verifications, sort_by="material_id")
    write_json(result.metrics, METRICS / name / "active_learning.json")
    write_table(result.state.crystals, after.crystals, crystals_contract(params.split), sort_by="material_id")
    write_table(result.state.attempts, after.attempts, Attempts)
    copytree(files.folder / "models", after.warm_start, dirs_exist_ok=True)
    write_json({"round": name}, after.warm_start / "origin.json")


if __name__ == "__main__":
    run_stage(main)

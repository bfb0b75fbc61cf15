"""How much faster than chance our policies find stable crystals, on DFT labels: a replay on the Materials Project.

    python benchmarks/replay.py --seeds 20

Candidates are crystals of the Materials Project as screening sees them (``replay_pool.py``), their labels DFT energies
that are revealed as they are verified. Networks learn from the other crystals of the database; nothing here has seen a
label of the pool. The tables are kept in ``--out``, so that `lodestone replay` can be tried on them with other
settings; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from options import ROOT, one_thread, parser

one_thread()

from lodestone.config.load import load_params  # noqa: E402
from lodestone.replay.campaign import Limits  # noqa: E402
from lodestone.replay.policies import chosen_policies  # noqa: E402
from lodestone.replay.study import Study, replay  # noqa: E402
from lodestone.replay.write import write_results  # noqa: E402
from replay_pool import make_tables  # noqa: E402


def main() -> None:
    """Make the tables, replay, print the figures."""
    asked = _arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    known, pool = make_tables(asked)
    params = load_params(asked.params)
    study = Study(
        known=known,
        pool=pool,
        prevalence=asked.prevalence,
        limits=Limits(budget=round(asked.share * asked.pool), rounds=asked.rounds),
        seeds=asked.seeds,
        policies=chosen_policies(asked.policy, params),
        params=params,
        out=asked.out / pool.stem,
        seen=asked.seen,
        starts=asked.starts,
    )
    for line in write_results(study, replay(study)):
        print(line)


def _arguments() -> argparse.Namespace:
    made = parser(__doc__, "replay")
    made.add_argument("--known", type=int, default=0, help="known crystals; 0: all that are not in the pool")
    made.add_argument("--pool", type=int, default=3000, help="candidates, as far as the data reach")
    made.add_argument("--held-out", type=float, default=0.15, help="share of the formulas that the pool is made from")
    made.add_argument("--prevalence", type=float, default=0.1)
    made.add_argument("--share", type=float, default=0.1, help="of the pool that is verified")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--seeds", type=int, default=20)
    made.add_argument("--starts", type=int, default=1, help="ensembles trained at first, which seeds take in turn")
    made.add_argument("--seen", type=int, default=240_000, help="crystals shown to each network at first")
    made.add_argument("--max-sites", type=int, default=500, help="larger cells are left out of everything")
    made.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    made.add_argument("--policy", action="append")
    return made.parse_args()


if __name__ == "__main__":
    main()

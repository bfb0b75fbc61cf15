"""`lodestone replay`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lodestone.cli.arguments import positive, share
from lodestone.config.load import PARAMS_FILE


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("replay", help="replay a campaign on labels that exist, against random choice")
    parser.add_argument("--known", type=Path, required=True, metavar="TABLE", help="crystals that are known (parquet)")
    parser.add_argument(
        "--pool", type=Path, required=True, metavar="TABLE", help="candidates with hidden labels: initial structures"
    )
    parser.add_argument(
        "--prevalence",
        type=share,
        default=0.1,
        metavar="SHARE",
        help="thin stable candidates to this share (default: %(default)s)",
    )
    parser.add_argument("--budget", type=positive, required=True, metavar="N", help="verifications in all")
    parser.add_argument("--rounds", type=positive, default=3, metavar="R", help="that share it (default: %(default)s)")
    parser.add_argument("--seeds", type=positive, default=3, metavar="S", help="repetitions (default: %(default)s)")
    parser.add_argument(
        "--starts",
        type=positive,
        default=1,
        metavar="N",
        help="ensembles trained before the first round, which the repetitions take in turn (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for replay.json, table and plot")
    parser.add_argument("--policy", action="extend", nargs="+", metavar="NAME", help="only these (default: all)")
    parser.add_argument(
        "--params", type=Path, default=PARAMS_FILE, metavar="FILE", help="networks and choice (default: %(default)s)"
    )
    parser.add_argument("--seen", type=positive, metavar="N", help="crystals shown to each network at first")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from lodestone.config.load import load_params
    from lodestone.replay.campaign import Limits
    from lodestone.replay.policies import chosen_policies
    from lodestone.replay.study import SEEN, Study, replay
    from lodestone.replay.write import write_results

    params = load_params(arguments.params)
    study = Study(
        known=arguments.known,
        pool=arguments.pool,
        prevalence=arguments.prevalence,
        limits=Limits(budget=arguments.budget, rounds=arguments.rounds),
        seeds=arguments.seeds,
        policies=chosen_policies(arguments.policy, params),
        params=params,
        out=arguments.out,
        seen=arguments.seen or SEEN,
        starts=arguments.starts,
    )
    for line in write_results(study, replay(study)):
        print(line)

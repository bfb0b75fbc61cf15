"""How long `lodestone serve` takes to answer, asked by several clients at once, and whether each answer is right.

    python benchmarks/serving.py [--clients 8] [--requests 1000] [--model FOLDER]

Each request asks about another crystal of the reference set. It is wrong if the formation energy differs by more than
1e-6 eV/atom from a direct prediction, or is another crystal's. Latencies are those that clients see; clients, server
and whatever else runs share the cores, and the server's networks use one thread.
"""

from __future__ import annotations

import argparse

from options import one_thread

one_thread()

import numpy as np  # noqa: E402

import lodestone  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.tables.files import read_table  # noqa: E402
from lodestone.tables.layout import REFERENCE_FILE  # noqa: E402
from lodestone.workspace.template import template_folder  # noqa: E402
from many_clients import Answer, ask_all, serving  # noqa: E402

_ENERGY = "formation_energy_per_atom_pred"
_TOLERANCE = 1e-6


def main() -> None:
    """Predict directly, ask the server, compare, print one table."""
    arguments = _arguments()
    rows = read_table(template_folder() / REFERENCE_FILE).sample(arguments.requests, seed=0, with_replacement=False)
    table = rows.select("material_id", "lattice", "atomic_numbers", "frac_coords")
    bodies = [
        {"crystals": [{"material_id": row.pop("material_id"), "structure": row}]} for row in table.iter_rows(named=True)
    ]
    expected = lodestone.load(arguments.model).predict(decode(rows))[_ENERGY].to_list()
    names = rows["material_id"].to_list()
    words = ("--model", arguments.model) if arguments.model else ()
    with serving(*words) as port:
        ask_all(port, bodies[: arguments.clients], arguments.clients)  # the first answers warm the networks up
        print("| clients | requests | lost | wrong | p50, ms | p99, ms | per second |\n|" + " --- |" * 7)
        for clients, asked in ((1, len(bodies) // 10), (arguments.clients, len(bodies))):
            answers = ask_all(port, bodies[:asked], clients)
            print(_row(clients, answers, names[:asked], expected[:asked]), flush=True)


def _row(clients: int, answers: list[Answer], names: list[str], energies: list[float]) -> str:
    lost = sum(answer.status != 200 for answer in answers)
    wrong = sum(
        answer.status == 200 and not _is_right(answer, name, energy)
        for answer, name, energy in zip(answers, names, energies, strict=True)
    )
    seconds = np.array([answer.seconds for answer in answers])
    p50, p99 = 1e3 * np.quantile(seconds, [0.5, 0.99])
    rate = clients * len(seconds) / seconds.sum()
    return f"| {clients} | {len(answers):,} | {lost} | {wrong} | {p50:.0f} | {p99:.0f} | {rate:.0f} |"


def _is_right(answer: Answer, name: str, energy: float) -> bool:
    (row,) = answer.content["predictions"]
    return row["material_id"] == name and abs(row[_ENERGY] - energy) <= _TOLERANCE


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--model", help="default: the ensemble that ships with the package")
    made.add_argument("--clients", type=int, default=8)
    made.add_argument("--requests", type=int, default=1000)
    return made.parse_args()


if __name__ == "__main__":
    main()

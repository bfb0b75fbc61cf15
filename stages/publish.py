"""Show the campaign in MLflow: runs, learning curves and registered models, replayed from the artifacts.

Reads metrics, learning curves, timings, report and models; writes ``metrics/tracking.json``.
"""

from pathlib import Path

from lodestone.config.load import load_params
from lodestone.stage import run_stage
from lodestone.tables.files import write_json
from lodestone.tracking.records import RECEIPT
from lodestone.tracking.store import publish


def main() -> None:
    """Publish, and keep a receipt that names no run ids or times."""
    params = load_params()
    receipt = publish(Path(), params)
    created = receipt.pop("created")
    print(f"{receipt['run']}: {'written to' if created else 'already in'} MLflow; `make ui` opens it")
    write_json(receipt, RECEIPT)


if __name__ == "__main__":
    run_stage(main)

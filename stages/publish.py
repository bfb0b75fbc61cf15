"""Show the campaign in MLflow: runs, learning curves and registered models, replayed from the artefacts.

Reads metrics, learning curves, timings, report and models; writes ``metrics/tracking.json``.
"""

from pathlib import Path

from pipeline.params import load_params
from pipeline.projection import RECEIPT
from pipeline.stage import run_stage
from pipeline.tables import write_json
from pipeline.tracking import publish


def main() -> None:
    """Publish, and keep a receipt that names no run ids or times."""
    params = load_params()
    receipt = publish(Path(), params)
    created = receipt.pop("created")
    print(f"{receipt['run']}: {'written to' if created else 'already in'} MLflow; `make ui` opens it")
    write_json(receipt, RECEIPT)


if __name__ == "__main__":
    run_stage(main)

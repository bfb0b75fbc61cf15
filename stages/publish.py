"""Show the campaign in MLflow: runs, learning curves and registered models, replayed from the artifacts.

Reads metrics, learning curves, timings, report and models; writes ``metrics/tracking.json``.
"""

from pathlib import Path

from lodestone.config.load import load_params
from lodestone.stage import run_stage
from lodestone.tables.files import write_json
from lodestone.tracking.records import RECEIPT
from lodestone.tracking.store import publish_or_defer


def main() -> None:
    """Publish, or leave it for later if the store cannot be used; keep a receipt that depends on no store."""
    write_json(publish_or_defer(Path(), load_params()), RECEIPT)


if __name__ == "__main__":
    run_stage(main)

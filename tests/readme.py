"""What the README tells people to type, and by which rule each line is tested."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
COMMANDS = ("make", "lodestone", "dvc", "python", "source", "cp", "export", "torchrun", "pip", "mlflow", "git")

# In a finished campaign: the command as it stands, and what `python -m` runs there, of files that the tiny one has.
IN_A_CAMPAIGN = {
    "lodestone discover": "lodestone discover",
    "lodestone drift OLD.parquet NEW.parquet --html drift.html": (
        "lodestone drift data/snapshot/crystals.parquet data/snapshot/crystals.parquet --html drift.html"
    ),
    "dvc metrics show": "dvc metrics show",
}
# Campaigns, servers and trainings: only whether the target exists and the script reads its command line.
NOT_RUN = {
    "make bundle",
    "make discover",
    "make fetch",
    "make gate",
    "make test",
    "make test-fast",
    "make shell",
    "make ui",
    "make reference",
    "make retrain",
    "make bench",
    "make bench-peers",
    "lodestone replay",
    "lodestone serve",
    "lodestone reference --close --hours 8",
    "python benchmarks/compositions.py",
    "python benchmarks/rediscovery.py",
    "python benchmarks/prediction_speed.py",
    "python benchmarks/replay.py",
    "python benchmarks/replay_published.py",
    "python benchmarks/scaling.py",
    "python benchmarks/seeds.py",
    "python benchmarks/uncertainty.py",
    "python benchmarks/whole_hull.py",
}
# Each has a test of its own; that of the experiment is in `end_to_end/test_campaign.py`.
BY_ITSELF = {
    "source .venv/bin/activate",
    "dvc exp run -S rounds.round_2.budget=100",
    # campaigns in folders of their own: tests/workspace and end_to_end/test_installed.py
    "lodestone discover",
    "lodestone discover --params campaigns/mine.yaml",
    "lodestone discover --params campaigns/mp-main-group.yaml",
    "lodestone init FOLDER",
    # the batch loop: tests/cluster and end_to_end/test_batch_loop.py
    "lodestone candidates --round round_0 --out jobs",
    "lodestone labels import jobs",
    "lodestone audit --against TABLE.parquet",  # tests/audit
    "lodestone opinions",  # tests/opinions
    "lodestone phonons",  # tests/phonons
    "lodestone novelty",  # tests/novelty
    "lodestone handover --out FOLDER",  # tests/handover
    "lodestone handover --out FOLDER --look-up",
    "lodestone screen --out FOLDER",  # tests/screening
    # tests/prediction, tests/pretraining
    "lodestone predict crystal.cif",
    "lodestone predict crystal.cif --model .",
    "lodestone predict folder --hull FILE --json --out answers.parquet",
    "lodestone pretrain TABLE --out FOLDER",
    "lodestone decisions --json",  # tests/tracking
    "lodestone rollback",
    "lodestone lineage",  # tests/lineage
    "lodestone lineage MATERIAL_ID",
    "lodestone reproduce MODEL",
    "lodestone refresh",  # tests/snapshot
}


def code_blocks(language: str, page: Path = README) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path = README) -> list[str]:
    """Lines of the bash blocks, and code in the text that starts with the name of a command."""
    lines = [line for block in code_blocks("bash", page) for line in block.splitlines()]
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    spans = [span for span in re.findall(r"`([^`\n]+)`", text) if span.split()[0] in COMMANDS and " " in span.strip()]
    typed = (shlex.join(shlex.split(line, comments=True)) for line in [*lines, *spans])
    return sorted({line for line in typed if line})


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Relative links of a page: path and anchor, either of which may be empty."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


def anchors(page: Path) -> set[str]:
    """Anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

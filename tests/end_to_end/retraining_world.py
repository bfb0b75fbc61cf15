"""A world for retrainings: a bare repository, a DVC remote, a data file of its own, and a gh that keeps what it hears.

The campaign has one round, one view, and the toy oracle, so that a run takes its time for starting processes and not
for science. Its energies are those of the reference set, called those of the toy, which the promotion of an ensemble
is judged by all the same.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from tiny_campaign import ROOT, Campaign, Command, Outcome, make_campaign

from lodestone.reference.prototypes import ELEMENTS

ORACLE = "pair-potential-1"
PATIENCE = 0.5  # s for each crystal, so that a kill finds some verified and others not
BUDGET, RANDOM = 8, 4
RETRAIN = (sys.executable, "-m", "lodestone", "retrain")
GIT = ("git", "-c", "user.name=Tester", "-c", "user.email=tester@example.org")
STATE = ("mlflow.db", "mlruns")  # what a runner keeps from one run to the next
GH = """#!{python}
import json, pathlib, sys
said = pathlib.Path({said!r})
calls = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
with said.open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1:3] == ["pr", "list"]:
    head = sys.argv[sys.argv.index("--head") + 1]
    known = [call for call in calls if call[:2] == ["pr", "create"] and head in call]
    print(json.dumps([{{"url": "https://example.org/pull/1"}} for _ in known]))
else:
    print("https://example.org/pull/1")
"""


def crystals(seed: int = 1) -> pl.DataFrame:
    """Small crystals of the usual elements, with formation energies as total energies: elements have 0.

    Of the first seeds one by which new data help: the mean absolute error falls by 0.16 eV/atom, four times the
    standard error of that.
    """
    table = pl.read_parquet(ROOT / "reference" / "crystals.parquet")
    usual = pl.col("chemsys").str.split("-").list.eval(pl.element().is_in(ELEMENTS)).list.all()
    rows = table.filter((pl.col("nsites") <= 6) & usual).sample(fraction=1.0, shuffle=True, seed=seed)
    columns = ["material_id", "lattice", "atomic_numbers", "frac_coords", "formation_energy_per_atom", "chemsys"]
    return rows.select(*columns, energy_per_atom=pl.col("formation_energy_per_atom"))


def known_and_new(n_known: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The elements and some compounds, and all compounds of other formulas."""
    rows = crystals()
    is_element = ~pl.col("chemsys").str.contains("-")
    compounds = rows.filter(~is_element)
    return pl.concat([rows.filter(is_element), compounds.head(n_known)]), compounds.slice(n_known)


def shuffled(rows: pl.DataFrame, seed: int = 1) -> pl.DataFrame:
    """The same crystals with the energies of others."""
    energies = rows["energy_per_atom"].sample(fraction=1.0, shuffle=True, seed=seed)
    return rows.with_columns(energies.alias("energy_per_atom"), energies.alias("formation_energy_per_atom"))


@dataclass(frozen=True)
class World:
    """Where everything lies.

    Attributes:
        folder: Of all of it.
    """

    folder: Path

    @property
    def repository(self) -> Path:
        return self.folder / "repository.git"

    @property
    def data(self) -> Path:
        """What `snapshot.path` names."""
        return self.folder / "data.parquet"

    @property
    def summary(self) -> Path:
        """What GitHub would show with the run."""
        return self.folder / "summary.md"

    def provide(self, *tables: pl.DataFrame) -> None:
        """Let the source have these crystals."""
        pl.concat(tables).drop("chemsys").write_parquet(self.data)

    def requests(self) -> list[dict[str, str]]:
        """Options of all pull requests that were opened."""
        said = self.folder / "gh.jsonl"
        calls = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
        created = [call[2:] for call in calls if call[:2] == ["pr", "create"]]
        return [dict(zip(options[::2], options[1::2], strict=True)) for options in created]

    def branches(self) -> set[str]:
        """Branches of the bare repository."""
        listed = self.git("for-each-ref", "--format=%(refname:short)", "refs/heads")
        return set(listed.split())

    def git(self, *arguments: str) -> str:
        done = Campaign(self.folder).run("git", "-C", str(self.repository), *arguments)
        assert done.code == 0, done.err
        return done.out

    def merge(self, branch: str) -> None:
        """Bring main to a branch, as somebody does who accepts the request."""
        self.git("update-ref", "refs/heads/main", branch)

    def clone(self, name: str, state_of: Campaign | None = None) -> Campaign:
        """A fresh clone as the runner of a workflow has it, with what an earlier runner has kept."""
        runner = Campaign(self.folder / name)
        done = Campaign(self.folder).run("git", "clone", "-q", "-b", "main", str(self.repository), str(runner.folder))
        assert done.code == 0, done.err
        for kept in STATE if state_of else ():
            source = state_of.folder / kept
            (shutil.copytree if source.is_dir() else shutil.copy)(source, runner.folder / kept)
        return runner

    def start(self, runner: Campaign, *options: str) -> Command:
        """Start `lodestone retrain` there, with gh in the path."""
        before = {name: os.environ.get(name) for name in ("PATH", "GITHUB_STEP_SUMMARY")}
        os.environ["PATH"] = f"{self.folder / 'bin'}{os.pathsep}{before['PATH']}"
        os.environ["GITHUB_STEP_SUMMARY"] = str(self.summary)
        try:
            return runner.start(*RETRAIN, *options)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    def retrain(self, runner: Campaign, *options: str) -> Outcome:
        return self.start(runner, *options).outcome()


def make_world(folder: Path, remote: str) -> World:
    """A world whose campaign has not begun, with main in the bare repository."""
    world = World(folder)
    first = make_campaign(folder / "first", rounds=1)
    _add_oracle(first.folder / "pipeline" / "lodestone" / "oracles" / "toy.py")
    first.edit(lambda params: _shrink(params, world.data))
    (folder / "bin").mkdir()
    gh = folder / "bin" / "gh"
    gh.write_text(GH.format(python=sys.executable, said=str(folder / "gh.jsonl")))
    gh.chmod(0o755)
    for command in (
        ("git", "init", "-q", "--bare", "-b", "main", str(world.repository)),
        (sys.executable, "-m", "dvc", "remote", "add", "--default", "--quiet", "storage", remote),
        (*GIT, "add", "."),
        (*GIT, "commit", "-q", "-m", "A campaign that is retrained"),
        ("git", "push", "-q", str(world.repository), "HEAD:main"),
    ):
        done = first.run(*command)
        assert done.code == 0, done.err
    return world


def _add_oracle(path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / "toy_oracle.py").read_text()
    line = "            yield index, self._relaxed(crystal)\n"
    assert line in text
    path.write_text(text.replace(line, f"            __import__('time').sleep({PATIENCE})\n{line}"))


def _shrink(params, data: Path) -> None:
    kind = {"label_method": ORACLE, "correction_scheme": "none"}
    params["snapshot"] = {"source": "file", "path": str(data), **kind}
    params["label"] = {"scale": "source"}
    params["oracle"] = {"name": ORACLE}
    params["split"] |= {"validation": 0.2, "test": 0.3}
    params["views"] = ["composition"]
    params["composition"] |= {"width": 32, "layers": 1, "members": 2, "epochs": 15, "batch_size": 32}
    params["ensemble"]["aggregation"] = "composition"
    params["discovery"] |= {"threshold": 9.0, "max_proposals": 100, "max_sites": 6, "charge_balance": "off"}
    params["promotion"]["min_systems"] = 10
    params["rounds"]["round_0"] |= {"budget": BUDGET, "random_baseline": RANDOM}

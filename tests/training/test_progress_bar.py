"""One bar over the epochs of all members."""

import io
import sys

import pytest

from lodestone.training.checkpoints import Scratch
from lodestone.training.fit import fit_member
from lodestone.training.progress_bar import report, reported
from waiting import wait_for


def test_the_bar_counts_the_epochs_of_all_members_while_they_run(tmp_path, monkeypatch):
    path = tmp_path / "new" / "progress.jsonl"
    with reported(path, 10, "training") as bar:
        report(path, 0, 1, 0.5)
        report(path, 1, 1, 0.25)
        report(path, 0, 2, 0.125)
        wait_for(lambda: bar.n == 3)
        assert "0.1250 eV/atom" in bar.postfix
        with path.open("a") as file:
            file.write("[1, 5, 0.0")  # a line that is being written
        report(path.with_name("other"), 1, 5, 0.1)
        looks, update = [], bar.update
        monkeypatch.setattr(bar, "update", lambda number: (looks.append(number), update(number)))
        wait_for(lambda: len(looks) >= 2)  # the second look began after that was written
        assert bar.n == 3
        with path.open("a") as file:
            file.write("625]\n")
    assert bar.n == 2 + 5
    assert "0.0625 eV/atom" in bar.postfix


def test_a_fit_tells_every_epoch_and_fills_its_part_of_the_bar_when_it_stops_early(task, tiny, tmp_path):
    params = tiny["composition"].model_copy(update={"epochs": 50, "patience": 1, "learning_rate": 0.5})
    scratch = Scratch(tmp_path)
    with reported(scratch.progress, 50, "training") as bar:
        result = fit_member(task("composition", params=params, scratch=scratch))
    assert len(result.history) < 50
    assert bar.n == 50
    assert len(scratch.progress.read_text().splitlines()) == len(result.history)


@pytest.mark.parametrize("terminal", [True, False])
def test_logs_are_spared(terminal, tmp_path, monkeypatch):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    monkeypatch.setattr(sys, "stderr", Stream())
    path = tmp_path / "progress.jsonl"
    with reported(path, 40, "training") as bar:
        for epoch in range(1, 41):
            report(path, 0, epoch, 0.5)
            if epoch in (10, 20, 30):
                wait_for(lambda epoch=epoch: bar.n == epoch)
    drawn = sys.stderr.getvalue().count("training")
    assert drawn >= 4 if terminal else drawn <= 3

"""LODESTONE_REPRODUCIBLE=1 pins the kernels of a stage, however it was started."""

import json
import os
import subprocess
import sys

import pytest

from lodestone.runtime.kernels import PINNED, pinned_kernels

SCRIPT = """
import json, os, sys
import numpy as np
from lodestone.runtime.kernels import PINNED
from lodestone.stage import run_stage

def main():
    kernels = np.show_config("dicts")["SIMD Extensions"]["found"]
    print(json.dumps([os.getpid(), sys.argv[1:], {name: os.environ.get(name) for name in PINNED}, kernels]))

run_stage(main)
"""


def run(tmp_path, **variables):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    kept = {name: value for name, value in os.environ.items() if name not in PINNED}
    command = [sys.executable, str(script), "an argument"]
    with subprocess.Popen(command, cwd=tmp_path, env=kept | variables, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    pid, arguments, environment, kernels = json.loads(out)
    assert (pid, arguments) == (process.pid, ["an argument"])
    return environment, kernels


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for name in ("LODESTONE_REPRODUCIBLE", *PINNED):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("value", [None, "", "0"])
def test_nothing_is_pinned_unless_it_is_wanted(tmp_path, value):
    environment, _ = run(tmp_path, **({} if value is None else {"LODESTONE_REPRODUCIBLE": value}))
    assert environment == dict.fromkeys(PINNED)


def test_a_stage_starts_anew_with_pinned_kernels_as_the_same_process(tmp_path, monkeypatch):
    monkeypatch.setenv("LODESTONE_REPRODUCIBLE", "1")
    if not pinned_kernels():
        pytest.skip("kernels are pinned on x86-64 only")
    environment, kernels = run(tmp_path)
    assert environment == PINNED
    assert not {"X86_V4", "AVX512_ICL", "AVX512_SPR"} & set(kernels), "numpy was imported before they were forbidden"


def test_other_processors_are_left_alone(monkeypatch):
    monkeypatch.setenv("LODESTONE_REPRODUCIBLE", "1")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert pinned_kernels() == {}

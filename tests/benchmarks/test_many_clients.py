"""A server in a process of its own, asked by many clients at once: no answer is lost, wrong, or another's."""

import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from lodestone.prediction.model import load
from many_clients import ask_all, serving
from prediction.untrained import DFT, write_ensemble

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CLIENTS, REQUESTS = 8, 160


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    write_ensemble(folder)
    DFT.write(folder)
    return folder


@pytest.fixture(scope="module")
def port(folder):
    with serving("--model", str(folder), "--max-crystals", "5") as port:
        yield port


def test_every_answer_is_the_direct_prediction(folder, port):
    metals, halogens = ("Li", "Na", "K", "Rb", "Cs"), ("F", "Cl", "Br", "I")
    pairs = [(metal, halogen) for metal in metals for halogen in halogens]
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    crystals = [Structure(Lattice.cubic(3 + 0.01 * n), pairs[n % len(pairs)], places) for n in range(REQUESTS)]
    bodies = [
        {
            "crystals": [{"material_id": f"c-{n}", "structure": crystal.as_dict()}],
            "input_structure": "unrelaxed" if n % 3 else "relaxed",
        }
        for n, crystal in enumerate(crystals)
    ]
    wrong = {"crystals": ["Xx"]}  # among them, and by the same clients
    answers = ask_all(port, [body for pair in zip(bodies, [wrong] * REQUESTS, strict=True) for body in pair], CLIENTS)
    assert [answer.status for answer in answers] == [200, 422] * REQUESTS
    model = load(folder)
    direct = {
        structure: model.predict(crystals, input_structure=structure)["formation_energy_per_atom_pred"]
        for structure in ("relaxed", "unrelaxed")
    }
    for n, answer in enumerate(answers[::2]):
        (row,) = answer.content["predictions"]
        assert row["material_id"] == f"c-{n}"
        expected = direct["unrelaxed" if n % 3 else "relaxed"][n]
        assert row["formation_energy_per_atom_pred"] == pytest.approx(expected, abs=1e-6)
    assert len({answer.content["predictions"][0]["formation_energy_per_atom_pred"] for answer in answers[::2]}) > 100


def test_limits_and_names_of_the_command_line_hold(port):
    answer = ask_all(port, [{"crystals": ["MgO"] * 6}], 1)[0]
    assert (answer.status, answer.content["error"][:10]) == (413, "6 crystals")
    for header in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/predict", b"{}", {"content-type": "application/json"} | header)
        assert connection.getresponse().status == 403
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_without_a_traceback(folder, number):
    command = [sys.executable, "-m", "lodestone", "serve", "--model", str(folder), "--port", "0"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2  # no port that can be named
    command[-1] = str(_free_port())
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert "predictions on http://127.0.0.1:" in server.stdout.readline()
        server.send_signal(number)
        _, err = server.communicate()
    assert "Traceback" not in err
    assert server.returncode in (0, -number, 128 + number)  # the last if the server had not taken over yet


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]

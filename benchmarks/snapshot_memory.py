"""Peak memory and speed of downloading a release: `python benchmarks/snapshot_memory.py 200000`.

A server in a process of its own makes up documents in the shape and size of the real ones; this process downloads them
with the real client, and then reads every structure back in chunks. What it prints is of this process alone. Nothing is
claimed about the real server or the network, whose speed decides in practice.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np

SIZES = (2, 4, 6, 8, 12, 16, 19, 24, 28, 40, 56, 120)  # sites; about the distribution of the real ones
CHUNK = 2000  # structures read at once
HEARTBEAT = b'{"version": "0.87.3", "db_version": "2026.02.01", "access_controlled_batch_ids": []}'


def main() -> None:
    """Serve, or start a server and measure."""
    if sys.argv[1] == "--serve":
        _serve(int(sys.argv[2]))
    command = [sys.executable, __file__, "--serve", sys.argv[1]]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        try:
            assert server.stdout is not None
            os.environ |= {
                "MP_API_KEY": "0" * 32,
                "MP_API_ENDPOINT": f"http://127.0.0.1:{int(server.stdout.readline())}",
                "NO_PROXY": "127.0.0.1",
                "LODESTONE_DOWNLOADS": folder,
            }
            _measure(int(sys.argv[1]))
        finally:
            server.terminate()


def _measure(documents: int) -> None:
    import mp_api.client  # noqa: F401  # so that the first figure holds what the client costs by itself

    from lodestone.snapshot.materials_project.source import open_documents
    from lodestone.snapshot.sources.materials_project import MaterialsProjectParams

    before = _peak()
    began = time.perf_counter()
    source = open_documents(MaterialsProjectParams(source="materials_project"))
    downloaded, peak = time.perf_counter() - began, _peak()
    assert len(source.outline) == documents
    began = time.perf_counter()
    sites = sum(
        len(crystal)
        for at in range(0, documents, CHUNK)
        for crystal in source.structures(source.outline[at : at + CHUNK])
    )
    read = time.perf_counter() - began
    print(f"{documents:,} documents, {sites:,} sites")
    print(
        f"download: {documents / downloaded:,.0f} documents/s; peak {peak:,.0f} MiB, of which imports {before:,.0f} MiB"
    )
    print(f"reading all structures by {CHUNK:,}: {documents / read:,.0f} rows/s; peak {_peak():,.0f} MiB")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux


def _serve(documents: int) -> None:
    bodies = [_document(size) for size in SIZES]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            body = HEARTBEAT if address.path == "/heartbeat" else page(parse_qs(address.query))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, _: str, *args: object) -> None:
            pass

    def page(query: dict[str, list[str]]) -> bytes:
        skip, limit = int(query["_skip"][0]), int(query["_limit"][0])
        rows = range(skip, min(skip + limit, documents))
        data = b",".join(bodies[row % len(bodies)].replace(b"mp-0", b"mp-%08d" % row) for row in rows)
        return b'{"data": [' + data + b'], "meta": {"total_doc": %d}}' % documents

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def _document(size: int) -> bytes:
    generator = np.random.default_rng(size)
    edge = (12.0 * size) ** (1 / 3)
    lattice = {"matrix": np.diag([edge] * 3).tolist(), "a": edge, "b": edge, "c": edge, "volume": 12.0 * size}
    symbols = [("Na", "Cl", "O")[site % 3] for site in range(size)]
    points = generator.random((size, 3))
    sites = [
        {
            "species": [{"element": symbol, "occu": 1}],
            "abc": point.tolist(),
            "xyz": (point * edge).tolist(),
            "label": symbol,
            "properties": {"magmom": float(generator.random())},
        }
        for symbol, point in zip(symbols, points, strict=True)
    ]
    entry = {
        "@module": "pymatgen.entries.computed_entries",
        "@class": "ComputedStructureEntry",
        "energy": -3.0 * size,
        "entry_id": "mp-0-GGA",
        "correction": 0.0,
        "energy_adjustments": [],
        "parameters": {"run_type": "GGA", "is_hubbard": False, "hubbards": {}},
        "data": {"oxide_type": "None", "material_id": "mp-0", "run_type": "GGA"},
        "structure": {"@class": "Structure", "charge": 0, "lattice": lattice, "sites": sites},
    }
    energies = dict.fromkeys(("energy_per_atom", "uncorrected_energy_per_atom"), -3.0)
    document = {
        "material_id": "mp-0",
        "thermo_type": "GGA_GGA+U",
        "formula_pretty": "NaClO",
        "chemsys": "-".join(sorted(set(symbols))),
        "nsites": size,
        **energies,
        "formation_energy_per_atom": -1.0,
        "energy_above_hull": 0.0,
        "energy_type": "GGA",
        "deprecated": False,
        "entries": {"GGA": entry},
    }
    return json.dumps(document).encode()


if __name__ == "__main__":
    main()

"""What databases know of the finds, from the reference OPTIMADE server on the loopback interface and from bad ones."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from optimade_server import serving

from lodestone.cli.main import main
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.handover.databases import SERVERS, Answer, Database, Server, servers
from lodestone.handover.elsewhere import FORMULA, NO_ANSWER, NOTHING, SAME, as_text, compare, look_up
from lodestone.handover.formulas import optimade_formula
from lodestone.handover.write import write_handover
from lodestone.report.discoveries import crystal_of
from lodestone.snapshot.downloads import retries
from lodestone.snapshot.optimade import client

HTML = (200, {"content-type": "text/html"}, b"<html>We have moved</html>")


def entry(name: str, crystal: Crystal, **changes) -> dict:
    """A crystal as a database keeps it."""
    species = crystal.species
    elements = sorted(set(species))
    return {
        "id": name,
        "elements": elements,
        "nelements": len(elements),
        "chemical_formula_reduced": optimade_formula(crystal),
        "nsites": len(crystal),
        "dimension_types": [1, 1, 1],
        "lattice_vectors": crystal.lattice.tolist(),
        "cartesian_site_positions": crystal.cart_coords.tolist(),
        "species_at_sites": species,
        "species": [{"name": e, "chemical_symbols": [e], "concentration": [1.0]} for e in elements],
        "structure_features": [],
    } | changes


def otherwise_written(crystal: Crystal) -> Crystal:
    """The same crystal: a supercell with another origin, its atoms moved by up to 0.02 Å, its cell 2 % larger."""
    move = np.random.default_rng(0).uniform(-0.02, 0.02, (2 * len(crystal), 3))
    coords = np.vstack([(crystal.frac_coords + np.array([n, 0, 0])) / [2, 1, 1] for n in range(2)]) + 0.137
    lattice = 1.02 * crystal.lattice * np.array([[2], [1], [1]])
    return Crystal(lattice, np.tile(crystal.atomic_numbers, 2), coords + move @ np.linalg.inv(lattice))


def rearranged(crystal: Crystal) -> Crystal:
    """Another crystal of the same formula: its atoms in a row."""
    n = len(crystal)
    coords = np.column_stack([np.zeros(n), np.zeros(n), np.arange(n) / n])
    return Crystal(np.diag([4.0, 4.3, 2.9 * n]), crystal.atomic_numbers, coords)


def disordered(crystal: Crystal) -> dict:
    (first, *others) = sorted(set(crystal.species))
    whole = [{"name": e, "chemical_symbols": [e], "concentration": [1.0]} for e in others]
    mixed = {"name": first, "chemical_symbols": [first, "vacancy"], "concentration": [0.5, 0.5]}
    return entry("cod-1", crystal, species=[mixed, *whole], structure_features=["disorder"])


@pytest.fixture(scope="module")
def few(finished):
    """Four finds of different formulas."""
    return finished.only(
        finished.discoveries.unique("formula_pretty", maintain_order=True)["material_id"].to_list()[:4]
    )


@pytest.fixture(scope="module")
def running(few, tmp_path_factory):
    same, other, mixed, _ = map(crystal_of, few.discoveries.iter_rows(named=True))
    documents = {
        "mp": [
            entry("mp-1", rearranged(same)),
            entry("mp-2", otherwise_written(same)),
            entry("mp-3", rearranged(other)),
        ],
        "lab": [disordered(mixed)],
    }
    with serving(documents, tmp_path_factory.mktemp("logs")) as server:
        yield server


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Nobody waits between two tries."""
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("LODESTONE_TRACEBACK", raising=False)


@pytest.fixture
def server(running):
    running.reset()
    return running


@pytest.fixture
def databases(server, tmp_path):
    """Makes the two databases, with what they said in earlier runs."""
    return lambda: [
        Database(Server(name=name, address=server.base(base)), tmp_path / "kept")
        for name, base in (("big", "mp"), ("small", "lab"))
    ]


@pytest.fixture
def dead() -> Server:
    return Server(name="dead", address="http://127.0.0.1:9")  # where nothing listens


def known(results) -> list[list[str]]:
    return [[one.knows for one in some] for some in results.values()]


def test_each_database_knows_the_crystal_its_formula_or_nothing(few, databases):
    results = look_up(few.discoveries, databases())
    assert list(results) == few.discoveries["material_id"].to_list()
    assert known(results) == [[SAME, NOTHING], [FORMULA, NOTHING], [NOTHING, FORMULA], [NOTHING, NOTHING]]
    (same, _), (other, _), (_, mixed), (nothing, _) = results.values()
    assert (same.known_as, same.n_entries, same.n_compared) == ("mp-2", 2, 2)
    assert (other.known_as, other.n_entries, other.n_compared) == (None, 1, 1)
    assert (mixed.known_as, mixed.n_entries, mixed.n_compared) == (None, 1, 0)  # disordered: no crystal to compare
    assert (nothing.n_entries, nothing.reason) == (0, None)
    assert len(same.date) == len("2026-01-01")


def test_each_formula_is_requested_once_and_never_again(few, server, databases):
    first = look_up(few.discoveries, databases())
    formulas = [optimade_formula(crystal_of(row)) for row in few.discoveries.iter_rows(named=True)]
    expected = sorted(2 * [f'chemical_formula_reduced="{formula}"' for formula in formulas])
    assert sorted(query["filter"] for query in server.asked()) == expected
    server.reset()
    assert look_up(few.discoveries, databases()) == first
    assert server.requests == []


def test_what_is_kept_and_damaged_is_requested_again(few, server, databases, tmp_path):
    first = look_up(few.discoveries, databases())
    server.reset()
    damaged, wrong, *_ = sorted((tmp_path / "kept").iterdir())
    damaged.write_text('{"entries": [')
    wrong.write_text("[]")
    assert look_up(few.discoveries, databases()) == first
    assert len(server.asked()) == 2


def test_a_dead_server_is_tried_once_and_named_and_the_others_answer(few, databases, dead, tmp_path, monkeypatch):
    tries = []
    pause = retries._pause
    monkeypatch.setattr(retries, "_pause", lambda *args: tries.append(args[0]) or pause(*args))
    some = databases()
    results = look_up(few.discoveries, [Database(dead, tmp_path / "kept"), *some])
    assert len(tries) == retries.TRIES - 1  # those of one request: it is left alone for the other finds
    assert known(results) == [
        [NO_ANSWER, SAME, NOTHING], [NO_ANSWER, FORMULA, NOTHING], [NO_ANSWER, NOTHING, FORMULA],
        [NO_ANSWER, NOTHING, NOTHING],
    ]  # fmt: skip
    reason = "the OPTIMADE endpoint http://127.0.0.1:9 cannot be reached: ConnectionError (tried 6 times)"
    assert {one.reason for one, *_ in results.values()} == {reason}
    assert as_text(results).startswith(f"dead: no answer 4; {reason}\n")
    assert len(list((tmp_path / "kept").iterdir())) == 8  # no answer is not kept


def test_a_slow_server_has_a_time_limit(few, databases, tmp_path, monkeypatch):
    monkeypatch.setattr(retries, "TRIES", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the request and says nothing
        slow = Server(name="slow", address=f"http://127.0.0.1:{silent.getsockname()[1]}")
        slowest = Database(slow, tmp_path / "kept")
        monkeypatch.setattr(client, "TIMEOUT", 0.2)
        slowest.answer("NaCl")
        monkeypatch.setattr(client, "TIMEOUT", 60.0)
        results = look_up(few.discoveries, [slowest, *databases()])
    assert known(results)[0] == [NO_ANSWER, SAME, NOTHING]
    assert all(one.reason.endswith("cannot be reached: ReadTimeout (tried 2 times)") for one, *_ in results.values())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (HTML, "does not answer as an OPTIMADE server"),
        ((200, {}, b'{"meta": {"api_version": "1.1.0"}, "data": null, "links": null}'), "answer"),
        ((200, {}, b'{"meta": {"api_version": "1.1.0"}, "data": [7], "links": {}}'), "no list of objects"),
        ((200, {}, b"[" * 10_000), "answer"),
        ((500, {}, b'{"errors": [{"title": "Internal", "detail": "out of order"}]}'), "out of order"),
        ((429, {"Retry-After": "7200"}, b"{}"), "asks to wait 7200 s"),
    ],
    ids=["html", "nulls", "numbers", "nested", "500", "429"],
)
def test_what_is_no_answer_is_told_and_not_kept(few, server, databases, tmp_path, answer, reason):
    server.fault = lambda path, query: answer if "/mp/" in path else None
    results = look_up(few.discoveries, databases())
    assert [row[0] for row in known(results)] == [NO_ANSWER] * 4
    assert all(reason in big.reason for big, _ in results.values())
    assert len(list((tmp_path / "kept").iterdir())) == 4
    server.fault = lambda path, query: None
    assert known(look_up(few.discoveries, databases()))[0] == [SAME, NOTHING]  # the next run tries again


def test_a_server_that_fails_on_the_way_keeps_what_it_said(few, server, databases):
    later = json.dumps(optimade_formula(crystal_of(few.discoveries.row(1, named=True))))
    server.fault = lambda path, query: HTML if "/mp/" in path and later in query.get("filter", "") else None
    assert [row[0] for row in known(look_up(few.discoveries, databases()))] == [SAME, NO_ANSWER, NO_ANSWER, NO_ANSWER]


def test_a_refused_formula_does_not_end_the_look_up(few, server, databases):
    refused = json.dumps(optimade_formula(crystal_of(few.discoveries.row(0, named=True))))
    fault = (400, {}, b'{"errors": [{"title": "Bad", "detail": "no such element"}]}')
    server.fault = lambda path, query: fault if "/mp/" in path and refused in query.get("filter", "") else None
    results = look_up(few.discoveries, databases())
    assert [row[0] for row in known(results)] == [NO_ANSWER, FORMULA, NOTHING, NOTHING]
    assert "Bad: no such element" in results[few.discoveries["material_id"][0]][0].reason


def test_a_server_that_ignores_the_formula_knows_nothing_of_it(few, server, databases):
    def whole_database(content):
        if isinstance(content.get("data"), list):
            content["data"] = [{"id": "x", "type": "structures", "attributes": {"chemical_formula_reduced": "AlP"}}]
            content["meta"]["data_returned"] = 1
        return content

    server.edit = whole_database
    results = look_up(few.discoveries[:1], databases())
    assert known(results) == [[NO_ANSWER, NO_ANSWER]]
    assert "'AlP' among the entries of" in next(iter(results.values()))[0].reason


SALT = Crystal(2.82 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
BAD = {
    "id": None, "lattice_vectors": [[1, 0, 0]], "cartesian_site_positions": [[0.0, 0.0, None], [1.0, 1.0, 1.0]],
    "species_at_sites": ["Na", "Xx"], "dimension_types": [1, 1, 0], "species": "Na, Cl",
}  # fmt: skip


@pytest.mark.parametrize("field", BAD)
def test_entries_that_are_no_crystals_count_by_their_formula(field):
    document = entry("1", SALT)
    attributes = {name: value for name, value in document.items() if name != "id"} | {field: BAD[field]}
    answer = Answer(
        entries=({"id": BAD[field] if field == "id" else "1", "attributes": attributes},), date="2026-01-01"
    )
    said = compare(SALT, answer, "x", "http://me:secret@x/y")
    assert said.knows == (SAME if field == "id" else FORMULA)
    assert said.address == "http://x/y"


DENSE, SODIUM = (
    Crystal(0.1 * SALT.lattice, [11, 17], SALT.frac_coords),
    Crystal(SALT.lattice, [11, 11], SALT.frac_coords),
)


@pytest.mark.parametrize("other", [DENSE, SODIUM], ids=["dense", "sodium"])
def test_what_cannot_be_the_crystal_is_not_compared(other):
    said = compare(SALT, Answer(entries=({"id": "1", "attributes": entry("1", other)},), date="2026-01-01"), "x", "y")
    assert (said.knows, said.n_compared) == (FORMULA, 0)


def test_servers_have_names_and_addresses():
    assert [server.name for server in servers()] == list(SERVERS)
    assert {server.address for server in servers()} == set(SERVERS.values())
    both = servers(["cod", "https://www.crystallography.net/cod/optimade/v1/", "http://localhost:5000"])
    assert [server.name for server in both] == ["cod", "http://localhost:5000"]
    assert servers(["https://me:secret@example.org/x"])[0].name == "https://example.org/x"
    with pytest.raises(LodestoneError, match="'icsd' is neither") as refused:
        servers(["icsd"])
    assert "materials_project, oqmd, alexandria, cod" in refused.value.remedy


def test_pages_json_and_contents_say_it(few, databases, dead, tmp_path):
    results = look_up(few.discoveries, [*databases(), Database(dead, tmp_path / "kept")])
    write_handover(replace(few, elsewhere=results), tmp_path / "over")
    index = json.loads((tmp_path / "over" / "index.json").read_text())
    contents = (tmp_path / "over" / "index.html").read_text()
    for one in index["finds"]:
        expected = results[one["material_id"]]
        assert one["known_elsewhere"] == {said.database: said.knows for said in expected}
        (facts,) = (tmp_path / "over" / one["folder"]).glob("*.json")
        assert json.loads(facts.read_text())["known_elsewhere"] == [vars(said) for said in expected]
        page = (tmp_path / "over" / one["folder"] / "index.html").read_text()
        assert all(said.database in page and said.knows in page for said in expected)
        assert "cannot be reached" in page
    assert '<span class="warning">big: mp-2</span>' in contents
    assert contents.count("small: formula") == 1
    assert contents.count("dead: no answer") == 4
    assert "no answer for 4: the OPTIMADE endpoint http://127.0.0.1:9 cannot be reached" in contents
    assert "big: the same crystal as 1 of 4 finds, the formula alone of 1, nothing of 2</li>" in contents


def test_without_a_look_up_they_say_so(handed_over):
    index = json.loads((handed_over / "index.json").read_text())
    assert {one["known_elsewhere"] for one in index["finds"]} == {None}
    for page in handed_over.rglob("index.html"):
        assert "Nobody has looked" in page.read_text()


@pytest.mark.parametrize("network", [True, False])
def test_the_command_is_complete_with_and_without_a_network(
    finished_folder, server, dead, tmp_path, monkeypatch, capsys, network
):
    monkeypatch.setenv("LODESTONE_DOWNLOADS", str(tmp_path / "downloads"))
    chosen = pl.read_parquet(finished_folder / "reports" / "discoveries.parquet")["material_id"][0]
    addresses = [server.base("mp") if network else "http://127.0.0.1:10", dead.address]
    command = ["handover", "--campaign", finished_folder, "--out", tmp_path / "over", "--only", chosen, "--look-up"]
    with pytest.raises(SystemExit) as ended:
        main([*map(str, command), *addresses])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"{addresses[0]}: {'same crystal 1' if network else 'no answer 1'}" in said
    assert f"{dead.address}: no answer 1; the OPTIMADE endpoint {dead.address} cannot be reached" in said
    assert "written: 1 finds" in said
    (find,) = json.loads((tmp_path / "over" / "index.json").read_text())["finds"]
    assert find["known_elsewhere"][dead.address] == NO_ANSWER
    assert len(list(Path(tmp_path / "downloads" / "look-ups").glob("*.json"))) == int(network)


def test_the_command_refuses_what_is_no_server(finished_folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["handover", "--campaign", str(finished_folder), "--out", str(tmp_path / "over"), "--look-up", "icsd"])
    assert ended.value.code == 1
    assert "'icsd' is neither the name of a database nor an address" in capsys.readouterr().err
    assert not (tmp_path / "over").exists()

"""Source `optimade`: OPTIMADE's own client against the reference server on the loopback interface."""

import gzip
import json
import socket
import tracemalloc
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from optimade.filterparser import LarkParser
from optimade_server import serving

from lodestone.config.sections import Filters
from lodestone.errors import LodestoneError
from lodestone.schemas import Snapshot
from lodestone.snapshot.downloads import retries
from lodestone.snapshot.downloads.parts import structure_columns
from lodestone.snapshot.optimade import providers as optimade_providers
from lodestone.snapshot.optimade import query as optimade_query
from lodestone.snapshot.optimade import source as optimade
from lodestone.snapshot.optimade.providers import NAMED, find_provider
from lodestone.snapshot.optimade.query import optimade_filter
from lodestone.snapshot.optimade.rows import to_row, to_structure
from lodestone.snapshot.source import OUTLINE
from lodestone.snapshot.sources.optimade import OptimadeParams
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure
from lodestone.snapshot.take import take_snapshot
from lodestone.tables.files import validated

LATTICE = [[4.0, 0.0, 0.0], [1.0, 4.0, 0.0], [0.0, 0.5, 5.0]]
FRACTIONS = np.array([[0.0, 0.0, 0.0], [0.5, 0.25, 0.75], [0.1, 0.6, 0.3], [0.9, 0.4, 0.2]])
LABELS = {"label_method": "dft-lab", "correction_scheme": "none"}


def _document(name: str, symbols: list[str], day: int = 1, **more) -> dict:
    """A structure as the databases of providers keep it; provider fields have no prefix there."""
    elements = sorted(set(symbols))
    counts = {element: symbols.count(element) for element in elements}
    return {
        "id": name,
        "elements": elements,
        "nelements": len(elements),
        "elements_ratios": [n / len(symbols) for n in counts.values()],
        "chemical_formula_reduced": "".join(f"{e}{n if n > 1 else ''}" for e, n in counts.items()),
        "chemical_formula_anonymous": "A",
        "nsites": len(symbols),
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": LATTICE,
        "cartesian_site_positions": (FRACTIONS[: len(symbols)] @ LATTICE).tolist(),
        "species_at_sites": symbols,
        "species": [{"name": e, "chemical_symbols": [e], "concentration": [1.0]} for e in elements],
        "structure_features": [],
        "last_modified": datetime(2024, 5, day),
    } | more


def _stability(formation: float, hull: float) -> dict:
    other = {"formation_energy_per_atom": 9.0, "energy_above_hull": 9.0}
    right = {"formation_energy_per_atom": formation, "energy_above_hull": hull}
    return {"gga_gga+u": right, "r2scan": other, "gga_gga+u_r2scan": other}


MIXED = {"species": [{"name": "Na", "chemical_symbols": ["Na", "K"], "concentration": [0.5, 0.5]}]}
DOCUMENTS = {
    "mp": [
        _document("mp-1", ["Na"], stability=_stability(0.0, 0.0)),
        _document("mp-2", ["Cl"], stability=_stability(0.0, 0.0)),
        _document("mp-3", ["Na", "Cl"], 9, stability=_stability(-2.0, 0.0)),
        _document("mp-4", ["Na", "Cl", "Cl"], stability=_stability(-1.0, 0.3)),
        _document("mp-5", ["K", "Cl"], 30, stability=_stability(-2.1, 0.01)),
        _document("mp-6", ["Na"], structure_features=["disorder"], stability=_stability(0.5, 0.5), **MIXED),
        _document("mp-7", ["Na", "Na", "Cl", "Cl"], stability={"r2scan": {"energy_above_hull": 0.0}}),
    ],
    "alexandria": [
        _document(
            "agm1", ["Na", "Cl"], energy=-7.0, energy_corrected=-8.0, formation_energy_per_atom=-2.0, hull_distance=0.0
        ),
        _document(
            "agm2", ["Na", "Cl"], energy=-6.0, energy_corrected=None, formation_energy_per_atom=-1.5, hull_distance=0.5
        ),
    ],
    "oqmd": [
        _document("11", ["Na"], delta_e=0.0, stability=0.0),
        _document("12", ["Na", "Cl"], delta_e=-2.0, stability=-0.7, last_modified=None, species=None),
        _document("13", ["K", "Cl"], delta_e=-2.0, stability=-0.7),
    ],
    "lab": [
        _document(f"l-{i:02}", ["Na"], formation_energy_per_atom=0.1 * i, hull_distance=0.1 * i) for i in range(45)
    ],
    "cell": [_document("c-1", ["Na"], formation_energy_per_atom=0.0)],
    "bare": [_document("b-1", ["Na"])],
}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with serving(DOCUMENTS, tmp_path_factory.mktemp("logs")) as server:
        yield server


@pytest.fixture
def server(running, monkeypatch):
    """The server without faults; the named providers lie there, and nobody waits between two tries."""
    running.reset()
    bases = {"materials_project": "mp", "alexandria": "alexandria", "oqmd": "oqmd"}
    here = {
        name: optimade_providers.replace(NAMED[name], address=running.base(base), page_size=2)
        for name, base in bases.items()
    }
    monkeypatch.setattr(optimade_providers, "NAMED", here)
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return running


def _take(provider: str, filters: dict | None = None, **params):
    section = OptimadeParams(source="optimade", provider=provider, filters=Filters(**filters or {}), **params)
    return take_snapshot(section, seed=1)


def test_snapshot_of_a_chemical_system(server):
    table, rejections, provenance = _take("materials_project", {"chemical_systems": ("Cl-Na",), "max_sites": 3})
    assert validated(table, Snapshot, "x").equals(table)
    columns = ("material_id", "formula_pretty", "chemsys", "nsites", "formation_energy_per_atom", "energy_above_hull")
    assert table.select(columns).rows() == [
        ("mp-1", "Na", "Na", 1, 0.0, 0.0),
        ("mp-2", "Cl2", "Cl", 1, 0.0, 0.0),
        ("mp-3", "NaCl", "Cl-Na", 2, -2.0, 0.0),
        ("mp-4", "NaCl2", "Cl-Na", 3, -1.0, 0.3),
    ]
    assert table["lattice"][3].to_list() == np.ravel(LATTICE).tolist()
    assert np.allclose(table["frac_coords"][3].to_numpy(), FRACTIONS[:3].ravel(), atol=1e-12)
    assert table["atomic_numbers"][3].to_list() == [11, 17, 17]
    assert table["created_at"].null_count() == len(table)  # last_modified is no date of creation
    assert rejections.rows() == [("mp-6", "Na", "no plain crystal: the source declares disorder")]
    assert provenance["query"] | {"fields": None} == {
        "provider": "materials_project",
        "endpoint": server.base("mp"),
        "filter": '((elements HAS ONLY "Cl","Na")) AND nsites<=3',
        "fields": None,
    }
    assert provenance["optimade"] == {
        "api_version": "1.2.0",
        "implementation": {"name": "OPTIMADE Python Tools", "version": provenance["versions"]["optimade"]},
        "last_modified": ["2024-05-01T00:00:00", "2024-05-09T00:00:00"],
        "count": 5,
    }
    assert (provenance["thermo_type"], provenance["label_method"], provenance["correction_scheme"]) == (
        "GGA_GGA+U",
        "dft-pbe",
        "MP2020",
    )
    assert "time" not in json.dumps(provenance)


def test_all_pages_are_read_in_bounded_parts(server, monkeypatch):
    monkeypatch.setattr(optimade, "PART", 3)
    source = optimade.open_endpoint(OptimadeParams(source="optimade", provider="materials_project"))
    assert [query.get("page_offset", "0") for query in server.asked()] == ["0", "2", "4", "6"]
    assert "_mp_stability" in server.asked()[0]["response_fields"].split(",")
    assert "filter" not in server.asked()[0]
    assert source.outline["material_id"].to_list() == [f"mp-{i}" for i in range(1, 8)]
    # In any order, across parts, as the caller asks for them.
    some = source.outline[[4, 0, 5, 2]]
    crystals = source.structures(some)
    assert [len(parse_structure(crystals[i])) for i in (0, 1, 3)] == [2, 1, 2]
    assert parse_structure(crystals[0]).species == ["K", "Cl"]
    assert isinstance(crystals[2], UnreadableStructureError)
    assert list(source.structures(some.head(0))) == []
    folder = source.structures.__self__._folder
    assert len(list(folder.iterdir())) == 3
    del source
    assert not folder.exists()


def test_alexandria_serves_total_energies_per_cell(server):
    table, _, provenance = _take("alexandria", {"max_energy_above_hull": 0.6})
    names = ("energy_per_atom", "uncorrected_energy_per_atom", "energy_correction_per_atom", "energy_above_hull")
    assert table.select(names).rows() == [(-4.0, -3.5, -0.5, 0.0), (None, -3.0, None, 0.5)]
    assert provenance["query"]["filter"] == "_alexandria_hull_distance<=0.6"
    assert (provenance["label_method"], provenance["correction_scheme"]) == ("dft-pbe", "Alexandria")


def test_oqmd_needs_no_has_only_and_gives_no_negative_hull_distances(server):
    table, _, provenance = _take("oqmd", {"elements": ("Na", "Cl")})
    assert table.select("material_id", "energy_above_hull", "chemsys").rows() == [
        ("11", 0.0, "Na"),
        ("12", 0.0, "Cl-Na"),
    ]
    assert provenance["query"]["filter"].startswith('NOT elements HAS ANY "Ac","Ag",')
    assert len(server.asked()) == 1  # the server left the third one out
    assert provenance["optimade"]["last_modified"] == ["2024-05-01T00:00:00"] * 2


def test_unlisted_endpoint_declares_its_energies(server):
    table, _, provenance = _take(server.base("lab") + "/v1/", **LABELS)
    assert table.select("material_id", "energy_above_hull").rows() == [(f"l-{i:02}", 0.1 * i) for i in range(45)]
    assert len(server.asked()) == 3  # pages of the size that the server likes
    assert provenance["label_method"] == "dft-lab"
    assert provenance["query"]["endpoint"] == server.base("lab")


def test_equal_answers_give_equal_snapshots(server):
    first, second = (_take("materials_project", {"limit": 3}) for _ in range(2))
    assert first[0].equals(second[0])
    assert first[2] == second[2]


@pytest.mark.parametrize(
    ("provider", "params", "told"),
    [
        ("aflow", {}, "'aflow' is neither the name of a provider nor an address"),
        ("https://", LABELS, "neither the name"),
        ("https://127.0.0.1:1/lab", {}, "nothing is known of the energies of https://127.0.0.1:1/lab"),
        ("https://127.0.0.1:1/lab", {"label_method": "dft-lab"}, "nothing is known"),
    ],
)
def test_unknown_providers_are_told_before_anything_is_asked(provider, params, told):
    with pytest.raises(LodestoneError, match=told):
        _take(provider, **params)


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("bare", r"/bare declares no energies in a field known here; its own fields: none\n.*_\*_hull_distance"),
        ("cell", r"/cell serves _cell_formation_energy_per_atom in eV, not in eV/atom"),
    ],
)
def test_endpoint_without_energies(server, base, told):
    with pytest.raises(LodestoneError, match=told):
        _take(server.base(base), **LABELS)


def test_two_fields_for_one_energy_are_unclear(server):
    def edit(content):
        if "properties" in content["data"]:
            content["data"]["properties"]["_other_hull_distance"] = {}
        return content

    server.edit = edit
    with pytest.raises(LodestoneError, match="several fields for energy_above_hull: _lab_hull_distance, _other_hull_"):
        _take(server.base("lab"), **LABELS)


def test_provider_field_that_no_structure_has(server):
    with pytest.raises(
        LodestoneError, match=r"none of the 1 structures has the field _mp_stability.gga_gga\+u.formation"
    ):
        _take("materials_project", {"min_sites": 4})


def _only_structures(answer):
    return lambda path, query: answer if path.endswith("/structures") and "/info/" not in path else None


BUSY = (429, {"Retry-After": "0"}, b"{}")
BROKEN = (500, {}, b'{"errors": [{"title": "Internal", "detail": "out of order"}]}')
GATEWAY = (502, {}, b"<html>Bad gateway</html>")


@pytest.mark.parametrize(
    "answer", [BUSY, BROKEN, GATEWAY, (200, {"content-length": "99"}, b"{")], ids=["429", "500", "502", "cut"]
)
def test_passing_faults_are_waited_for(server, answer):
    faults = iter([None, None, answer, answer, None])  # the second page, twice
    server.fault = lambda path, query: next(faults, None)
    table, _, _ = _take("materials_project", {"max_sites": 3})
    assert len(table) == 5
    assert [query.get("page_offset", "0") for query in server.asked()] == ["0", "2", "2", "2", "4"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (BUSY, "failed: HTTP 429"),
        (BROKEN, r"failed: HTTP 500 Internal: out of order \(tried 6 times\)"),
        (GATEWAY, "failed: HTTP 502"),
        ((429, {"Retry-After": "7200"}, b"{}"), "asks to wait 7200 s"),
        ((404, {}, b"<html>Not found</html>"), "does not answer as an OPTIMADE server.*404"),
        ((200, {}, b"<html>Welcome</html>"), "does not answer as an OPTIMADE server"),
        ((200, {}, b'{"hello": "world"}'), "does not answer as an OPTIMADE server.*no version of the API"),
        ((200, {}, b"[1, 2]"), "does not answer as an OPTIMADE server"),
        ((200, {}, b'{"meta": null, "data": []}'), "does not answer as an OPTIMADE server"),
        ((200, {}, b'{"meta": {"api_version": "1.1.0"}, "data": [1]}'), "its structures are no list of objects"),
        ((200, {}, b'{"meta": {"api_version": "1.1.0"}, "data": {"a": 1}}'), "its structures are no list of objects"),
        (
            (200, {}, b'{"meta": {"api_version": "1.1.0"}, "data": [], "errors": [{"detail": "no such field"}]}'),
            "refuses the query: HTTP 200 error: no such field",
        ),
        (
            (400, {}, b'{"errors": [{"title": "Bad", "detail": "nsites unknown"}]}'),
            "refuses the query: HTTP 400 Bad: nsites",
        ),
        (
            (501, {}, b'{"errors": [{"title": "Not", "detail": "HAS ONLY"}]}'),
            "refuses the query: HTTP 501 Not: HAS ONLY",
        ),
    ],
)
def test_lasting_faults_are_told(server, answer, told):
    server.fault = _only_structures(answer)
    with pytest.raises(LodestoneError, match=told):
        _take("materials_project", {"max_sites": 3})


def test_error_document_of_the_server_itself(server, monkeypatch):
    monkeypatch.setattr(optimade, "optimade_filter", lambda filters, provider: "nonsense=1")
    with pytest.raises(LodestoneError, match="refuses the query: HTTP 400 Bad Request: 'nonsense' is not a known"):
        _take("materials_project")


def test_endpoint_that_is_none(server):
    server.fault = lambda path, query: (200, {}, b'{"meta": {"api_version": "1.1.0"}, "data": []}')
    with pytest.raises(LodestoneError, match="does not answer as an OPTIMADE server: its /info/structures lists no"):
        _take("materials_project")


def test_unreachable_endpoint_keeps_its_secrets(monkeypatch, capfd):
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://user:secret@127.0.0.1:{free.getsockname()[1]}/lab"
    with pytest.raises(LodestoneError, match=r"cannot be reached.*\(tried 6 times\)") as raised:
        _take(address, **LABELS)
    assert "secret" not in str(raised.value) + "".join(capfd.readouterr())


def _last_page(change):
    """Changes the answer that has no successor."""

    def edit(content):
        if isinstance(content.get("data"), list) and not content["links"].get("next"):
            change(content)
        return content

    return edit


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content["data"].pop(), "it gave 6 structures of 7"),
        (lambda content: content["meta"].update(data_returned=8), "its count went from 7 to 8: it changed in mid-down"),
        (lambda content: content["meta"].update(more_data_available=True), "it gave 7 structures of 7"),
        (lambda content: content["data"][0].update(id="mp-1"), "gave mp-1 more than once"),
    ],
)
def test_incomplete_downloads_are_refused(server, change, told):
    server.edit = _last_page(change)
    with pytest.raises(LodestoneError, match=told):
        _take("materials_project")


@pytest.mark.parametrize("address", ["http://example.org/v1/structures", "file:///etc/passwd", "//example.org/x"])
def test_a_next_page_on_another_host_is_not_asked_for(server, address):
    def edit(content):
        if isinstance(content.get("data"), list):
            content["links"]["next"] = address
        return content

    server.edit = edit
    with pytest.raises(LodestoneError, match="its next page is on another host"):
        _take("materials_project")
    assert len(server.asked()) == 1


def test_an_answer_without_end_is_read_to_a_bound_only(server, monkeypatch):
    monkeypatch.setattr("lodestone.snapshot.optimade.session.MOST_BYTES", 2**20)
    packed = gzip.compress(b" " * 2**28)  # small on the way, too
    server.fault = lambda path, query: (
        (200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, packed)
        if path.endswith("/v1/structures")
        else None
    )
    tracemalloc.start()
    with pytest.raises(LodestoneError, match="an answer has more than 1 MiB"):
        _take("materials_project")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**26


def test_more_structures_than_announced_are_refused(server):
    def edit(content):
        if isinstance(content.get("data"), list):
            content["meta"]["data_returned"] = 3
        return content

    server.edit = edit
    with pytest.raises(LodestoneError, match="goes on, after it announced 3"):
        _take("materials_project")


def test_pages_that_go_round_are_refused(server):
    def edit(content):
        content["links"]["next"] = {"href": server.base("mp") + "/v1/structures?page_limit=2&page_offset=2"}
        return content

    server.edit = lambda content: edit(content) if isinstance(content.get("data"), list) else content
    with pytest.raises(LodestoneError, match="pages go round in a circle"):
        _take("materials_project")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"species": MIXED["species"]}, "^a site is partially occupied: species 'Na' is Na 0.5, K 0.5"),
        (
            {"species": [{"name": "Na", "chemical_symbols": ["Na", "vacancy"], "concentration": [0.9, 0.1]}]},
            "^a site is partially occupied: species 'Na' is Na 0.9, vacancy 0.1",
        ),
        ({"species": [{"name": "Na", "chemical_symbols": ["Na"], "concentration": [0.9]}]}, "'Na' is Na 0.9"),
        ({"species": [{"name": "Na", "chemical_symbols": ["X"], "concentration": [1.0]}]}, "'X' is no known element"),
        ({"species": [{"name": "Na", "chemical_symbols": ["vacancy"], "concentration": [1]}]}, "'vacancy' is no known"),
        ({"species": [{"name": "K", "chemical_symbols": ["K"], "concentration": [1.0]}]}, "species have no 'Na'"),
        ({"species": [{"name": "Na", "chemical_symbols": ["Na"]}]}, "species have no 'concentration'"),
        ({"species": [{"name": "Na", "chemical_symbols": ["Na"], "concentration": []}]}, "species do not parse"),
        (
            {"species": [{"name": "Na", "chemical_symbols": ["Na", "K"], "concentration": [1.0, float("nan")]}]},
            "^a site is partially occupied: species 'Na' is Na 1, K nan",
        ),
        ({"species": [{"name": "Na", "chemical_symbols": ["K"], "concentration": [10**400]}]}, "species do not parse"),
        (
            {"species": [{"name": "Na", "chemical_symbols": [e], "concentration": [1.0]} for e in ("Na", "K")]},
            "two species have the same name",
        ),
        ({"species_at_sites": "CN"}, "the source gives no species_at_sites"),
        ({"species": 7}, "species do not parse"),
        ({"species": [{"name": "Na", "attached": ["H"]}]}, "atoms attached that have no position"),
        ({"structure_features": ["assemblies"]}, "the source declares assemblies"),
        ({"dimension_types": [1, 1, 0]}, "not periodic in three dimensions"),
        ({"lattice_vectors": None}, "the source gives no lattice_vectors"),
        ({"lattice_vectors": [[4, 0, 0], [0, 4, 0]]}, "lattice_vectors are 2"),
        (
            {"lattice_vectors": [[4, 0, 0], [0, 4, 0], [None, None, None]]},
            "lattice_vectors has values that are missing",
        ),
        ({"lattice_vectors": [[4, 0, 0], [0, 4, 0], [4, 4, 0]]}, "span no volume"),
        ({"lattice_vectors": [[4, 0, 0], [0, 4, 0], [0, 0, 1e-300]]}, "."),
        ({"cartesian_site_positions": None}, "the source gives no cartesian_site_positions"),
        ({"cartesian_site_positions": [[None, 0, 0], [2, 2, 2]]}, "positions has values that are missing"),
        ({"cartesian_site_positions": [[0, 0], [2, 2]]}, "no table of three columns"),
        ({"cartesian_site_positions": [[0, 0, 0], [2, 2, "a"]]}, "no regular table of numbers"),
        ({"cartesian_site_positions": [[0, 0, 0]]}, "2 species, 1 positions"),
        ({"species_at_sites": None}, "the source gives no species_at_sites"),
    ],
)
def test_what_is_no_ordered_crystal_is_refused_with_a_reason(change, reason):
    document = {"id": "x-1", "attributes": _document("x-1", ["Na", "Na"]) | change}
    with pytest.raises(UnreadableStructureError, match=reason):
        parse_structure(to_structure(document))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"id": 7, "attributes": None},
        {"id": "a", "attributes": {"nsites": 10**30, "elements": 3, "_oqmd_delta_e": "?"}},
    ],
)
def test_empty_documents_are_rows_without_values(document):
    row = to_row(document, NAMED["oqmd"])
    assert row == dict.fromkeys(OUTLINE) | {"material_id": str(document["id"]) if document else None}
    assert str(to_structure(document)) == "the source gives no lattice_vectors"


def test_species_at_sites_are_elements_where_no_species_are_described():
    loose = {"id": 4061139, "attributes": _document("", ["Na", "Cl"]) | {"species": [], "elements": "Na,Cl"}}
    row = to_row(loose, NAMED["oqmd"])
    assert (row["material_id"], row["chemsys"]) == ("4061139", "Cl-Na")
    assert parse_structure(to_structure(loose)).species == ["Na", "Cl"]


MUTATIONS = [None, "", "CN", [], {}, [[]], [None], 0, -1, 7.5, 10**400, float("inf"), float("nan"), True, {"a": 1}]


def test_no_mutation_of_a_document_crashes_or_is_let_through():
    """Any value anywhere in the structure is replaced: what still parses has the right formula."""
    right = _document("x", ["Na", "Cl"]) | {"_oqmd_delta_e": -1.0, "_oqmd_stability": 0.0}
    documents = [{"id": "x", "attributes": right | {key: value}} for key in right for value in MUTATIONS]
    documents += [
        {"id": "x", "attributes": right | {"species": [kind | {key: value}, right["species"][1]]}}
        for kind in right["species"][:1]
        for key in kind
        for value in MUTATIONS
    ]
    table = structure_columns(map(to_structure, documents))
    rows = pl.DataFrame([to_row(document, NAMED["oqmd"]) for document in documents], schema=OUTLINE)
    assert rows["material_id"].to_list() == ["x"] * len(documents)
    read = table.filter(pl.col("unread").is_null())
    assert 100 < len(read) < len(documents)
    assert {tuple(numbers) for numbers in read["atomic_numbers"]} == {(11, 17)}


@pytest.mark.parametrize("name", list(NAMED))
def test_filters_that_the_standard_knows(name, monkeypatch):
    provider = find_provider(OptimadeParams(source="optimade", provider=name))
    everything = Filters(
        elements=("Na", "Cl", "K"),
        require_any_of=("K",),
        chemical_systems=("Na-Cl", "K-Cl"),
        min_sites=2,
        max_sites=9,
        max_energy_above_hull=1e-05,
    )
    text = optimade_filter(everything, provider)
    LarkParser().parse(text)
    for part in ("nsites>=2", "nsites<=9", '(nelements=1 OR elements HAS ANY "K")'):
        assert part in text
    assert ("HAS ONLY" in text) == (name != "oqmd")
    assert ("<=1e-05" in text) == (name != "materials_project")  # whose field has keys that filters cannot name
    assert optimade_filter(Filters(limit=3), provider) == ""
    monkeypatch.setattr(optimade_query, "LONGEST", 10)
    shorter = optimade_filter(Filters(chemical_systems=("Na-Cl", "K-Cl")), NAMED["alexandria"])
    assert shorter == '(elements HAS ONLY "Cl","K","Na")'


def test_addresses_of_named_providers_are_recognised():
    for address in ("http://oqmd.org/optimade/v1/", "https://oqmd.org/optimade/", "https://oqmd.org/optimade"):
        assert find_provider(OptimadeParams(source="optimade", provider=address)) == NAMED["oqmd"]
    pbesol = OptimadeParams(source="optimade", provider="https://alexandria.icams.rub.de/pbesol/v1")
    assert find_provider(pbesol).label_method == "dft-pbesol"
    mixed = OptimadeParams(source="optimade", provider="materials_project", thermo_type="R2SCAN")
    found = find_provider(mixed)
    assert (found.label_method, found.correction_scheme) == ("dft-r2scan", "none")
    assert found.energies["energy_above_hull"] == ("_mp_stability", "r2scan", "energy_above_hull")

"""Source `materials_project`: what passes by itself is waited for, everything else stops, and finished pages stay."""

import json
import socket

import pytest
from mp_server import FOREVER, GOOD_KEY, VERSION, Fault, slowly
from mp_snapshots import WHOLE, fails, identifiers, pages_of_two, parts_in, take

from lodestone.errors import LodestoneError
from lodestone.snapshot.downloads import retries
from lodestone.snapshot.materials_project import api as materials_project_api
from lodestone.snapshot.materials_project import source as materials_project


@pytest.fixture
def server(monkeypatch, tmp_path):
    with pages_of_two(monkeypatch, tmp_path) as running:
        yield running


TRANSIENT = {
    "429": {"status": 429, "headers": {"Retry-After": "0"}, "times": 3},
    "500": {"status": 500},
    "503": {"status": 503, "times": 5},
    "504": {"status": 504},
    "truncated JSON": {"body": lambda body: body[: len(body) // 2]},
    "no JSON": {"body": lambda body: b"<html>Bad gateway</html>"},
    "dropped connection": {"drop": True},
    "slow answer": {"before": slowly(1.5)},
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_what_passes_by_itself_is_asked_for_again(fault, server, monkeypatch):
    if "before" in fault:
        monkeypatch.setattr(materials_project_api, "TIMEOUT", 0.5)
    server.faults = [Fault(skip=2, **fault)]
    assert identifiers() == WHOLE
    assert server.skips == [0, 2, *[2] * fault.get("times", 1), 4, 6]  # the client adds no tries of its own


def test_a_heartbeat_that_skips_a_beat_stops_nothing(server):
    server.silent = 3
    assert identifiers() == WHOLE


def test_the_wait_grows_and_a_server_may_ask_for_more(server, monkeypatch):
    waits = []
    monkeypatch.setattr(retries, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(retries.time, "sleep", waits.append)
    server.faults = [Fault(status=429, headers={"Retry-After": "7"}), Fault(status=500, times=4)]
    assert identifiers() == WHOLE
    assert waits[0] == 7
    for wait, middle in zip(waits[1:], (2, 4, 8, 16), strict=True):
        assert middle / 2 <= wait <= middle * 1.5


def test_a_server_that_wants_to_be_left_alone_is_left_alone(server):
    server.faults = [Fault(status=429, headers={"Retry-After": "3600"}, times=FOREVER)]
    assert "asks to wait 3600 s" in fails("HTTP 429").problem
    assert server.skips == [0]


def test_an_api_that_fails_for_ever_is_given_up_and_finished_pages_stay(server, tmp_path):
    server.faults = [Fault(skip=4, status=500, times=FOREVER)]
    assert "no service for ***" in fails(r"failed: HTTP 500(.|\n)*tried 6 times").problem
    assert server.skips == [0, 2, *[4] * retries.TRIES]
    assert parts_in(tmp_path) == ["0000-00000.parquet", "0000-00001.parquet"]


def test_an_interrupted_download_goes_on_and_a_finished_one_is_not_repeated(server, tmp_path, monkeypatch):
    server.faults = [Fault(skip=4, status=404, times=1)]
    fails("HTTP 404")
    server.requests.clear()
    assert identifiers() == WHOLE
    assert server.skips == [4, 6]
    before = take()[2]
    server.requests.clear()
    monkeypatch.setattr(materials_project, "package_versions", lambda *names: {"mp-api": "of today"})
    assert take()[2] == before  # with the versions that fetched it
    assert server.requests == [("/heartbeat", {})]
    (request,) = tmp_path.glob("*/request.json")  # for whoever looks into the folder
    assert json.loads(request.read_text())["database_version"] == VERSION
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or GOOD_KEY.encode() not in path.read_bytes()
    server.requests.clear()
    monkeypatch.delenv("MP_API_KEY")
    assert take(version=VERSION)[0]["material_id"].to_list() == WHOLE  # pinned and there: nobody is asked
    assert server.requests == []


def test_a_part_that_is_damaged_or_gone_is_fetched_again(server, tmp_path):
    take()
    first, second, *_ = sorted(tmp_path.glob("*/*.parquet"))
    second.unlink()
    first.write_bytes(first.read_bytes()[:-50])
    server.requests.clear()
    assert identifiers() == WHOLE
    assert server.skips == [0, 2]
    first.write_bytes(b"PAR1" + bytes(100) + first.read_bytes()[104:])
    with pytest.raises(
        LodestoneError, match=rf"{first.name} is no readable part(.|\n)*delete {first}; a new run fetches"
    ):
        take()


def test_versions_of_the_database_are_never_mixed(server, tmp_path):
    def release() -> None:
        server.heartbeat["db_version"] = "2026.03.01"

    server.faults = [Fault(skip=4, before=release)]
    assert (
        "2026.03.01 is downloaded from its first page"
        in fails(r"changed its database from version 2026\.02\.01 to 2026\.03\.01 in mid-download").remedy
    )
    assert len(list(tmp_path.glob("*/*.parquet"))) == 2  # the page in doubt is not among them
    server.requests.clear()
    provenance = take()[2]
    assert provenance["database_version"] == "2026.03.01"
    assert server.skips == [0, 2, 4, 6]
    assert "set snapshot.database_version to 2026.03.01" in fails("serves database version 2026", VERSION).remedy


def test_a_version_that_changes_with_the_last_page_is_seen(server, tmp_path):
    server.faults = [Fault(skip=6, before=lambda: server.heartbeat.update(db_version="2026.03.01"))]
    fails("in mid-download")
    assert len(parts_in(tmp_path)) == 3


@pytest.mark.parametrize(
    ("key", "told"),
    [(None, "MP_API_KEY is not set"), ("", "MP_API_KEY is not set"), ("tooshort", "MP_API_KEY is refused: it has 8")],
)
def test_no_key_is_told_before_anything_is_asked(key, told, server, monkeypatch):
    monkeypatch.delenv("MP_API_KEY") if key is None else monkeypatch.setenv("MP_API_KEY", key)
    fails(told)
    assert server.requests == []


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_key_is_told_once_and_not_shown(status, server, monkeypatch):
    server.refusal = status
    wrong = GOOD_KEY[::-1]
    monkeypatch.setenv("MP_API_KEY", wrong)
    assert wrong not in str(fails(f"MP_API_KEY is refused: the API answered HTTP {status}"))
    assert server.skips == [0]


def test_unreachable_api(server, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MP_API_ENDPOINT", f"http://user:secret@127.0.0.1:{free.getsockname()[1]}")
    assert "secret" not in str(fails(r"cannot be reached(.|\n)*tried 6 times"))


def test_a_heartbeat_that_is_refused_says_nothing_of_the_key(server):
    server.silent = FOREVER
    server.silence = 403
    fails("failed: HTTP 403")


def test_something_else_answers(server, monkeypatch):
    server.heartbeat = {"hello": "world"}
    fails("failed: the heartbeat has no db_version")
    monkeypatch.setenv("MP_API_ENDPOINT", "no address")
    fails("failed: Failed to parse")

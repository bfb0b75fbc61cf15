"""Who may ask a server: names, origins, passwords, and addresses."""

import base64
import socket
from dataclasses import replace

import pytest

from lodestone.errors import LodestoneError
from lodestone.serving.access import Access, is_loopback
from lodestone.serving.app import named
from lodestone.serving.server import _listening, access_of

BODY = {"crystals": ["MgO"]}


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:9", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_machine_are_known(client, host):
    assert client.post("/predict", json=BODY, headers={"host": host}).status_code == 200


FOREIGN = ["evil.example", "evil.example:8000", "localhost.evil.example", "10.evil.example", "192.168.0.1", "", "[::1"]


@pytest.mark.parametrize("path", ["/predict", "/health", "/nothing"])
@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_gets_403(client, host, path):
    answer = client.post(path, json=BODY, headers={"host": host})
    assert answer.status_code == 403
    assert "--allowed-hosts" in answer.json()["error"]


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost.evil.example", "null", "http://[", ""])
def test_a_foreign_origin_gets_403(client, origin):
    answer = client.post("/predict", json=BODY, headers={"origin": origin})
    assert answer.status_code == 403
    assert "origins" in answer.json()["error"]
    assert client.options("/predict", headers={"origin": origin}).status_code == 403


def test_pages_of_this_machine_may_ask_but_get_no_leave_for_others(client):
    answer = client.post("/predict", json=BODY, headers={"origin": "http://localhost:8000"})
    assert answer.status_code == 200
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_two_hosts_must_both_be_known(serve):
    headers = [(b"host", b"localhost"), (b"host", b"evil.example"), (b"content-type", b"application/json")]
    assert serve().post("/predict", content=b"{}", headers=headers).status_code == 403


def test_other_names_can_be_allowed(serve):
    client = serve(access_of("127.0.0.1", "lab.example, Stars", ""))
    for host in ("lab.example", "lab.example:443", "stars"):
        answer = client.post("/predict", json=BODY, headers={"host": host, "origin": f"https://{host}"})
        assert answer.status_code == 200
    assert client.post("/predict", json=BODY, headers={"host": "other.example"}).status_code == 403


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


WRONG = ["Bearer sesam", "Bearer", "Bearer ", basic("sesame"), basic("a:b"), "Basic !", "Digest sesame", "sesame", ""]


@pytest.mark.parametrize("given", WRONG)
def test_a_wrong_password_gets_401(serve, given):
    answer = serve(Access(password="sesame")).post("/predict", json=BODY, headers={"authorization": given})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert "sesame" not in answer.text


@pytest.mark.parametrize("given", ["Bearer sesame", "bearer sesame", basic("anyone:sesame"), basic(":sesame")])
def test_a_right_password_is_answered(serve, given):
    answer = serve(Access(password="sesame")).post("/predict", json=BODY, headers={"authorization": given})
    assert answer.status_code == 200


def test_a_password_is_not_printed():
    assert "sesame" not in repr(Access(password="sesame"))


def test_the_network_is_answered_only_with_a_password():
    for host in ("0.0.0.0", "192.168.0.7", "::", "lab.example"):
        with pytest.raises(LodestoneError, match="LODESTONE_SERVE_PASSWORD"):
            access_of(host, "", "")
        assert not is_loopback(host)
    assert access_of("192.168.0.7", "", "x").hosts == Access().hosts | {"192.168.0.7"}
    assert access_of("0.0.0.0", "", "x").hosts == Access().hosts
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost")))


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LodestoneError, match=f"127.0.0.1, port {port}"):
            _listening("127.0.0.1", port)


def test_answers_do_not_name_folders_of_this_machine(model, phases):
    assert named(model).name == model.folder.name
    assert named(phases).name == "hull.parquet"
    assert named(replace(model, name="models:/lodestone-ensemble@champion")).name.startswith("models:/")

"""What is posted is answered as `lodestone predict` answers it; what is wrong gets one sentence."""

import asyncio
import json
from pathlib import Path

import pytest
from ase.build import bulk

import lodestone
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.serving import app as module
from lodestone.serving.app import answer_together
from lodestone.serving.batches import Batches
from lodestone.serving.questions import Limits, read_question

JSON = {"content-type": "application/json"}
ROOT = Path(__file__).parents[2]
SECRETS = ("Traceback", "site-packages", "/tmp", str(ROOT), str(Path(lodestone.__file__).parent))


def ask(client, *crystals, **others):
    return client.post("/predict", json={"crystals": list(crystals), **others})


@pytest.mark.parametrize("structure", ["relaxed", "unrelaxed"])
def test_answers_are_those_of_the_python_interface(client, model, hull, salts, structure):
    salt = salts[4]
    row = {"material_id": "mine", "structure": salt.as_dict()}
    answer = ask(
        client, salt.to(fmt="cif"), salt.to(fmt="poscar"), salt.as_dict(), row, "NaCl3", input_structure=structure
    )
    assert answer.status_code == 200, answer.text
    rows = answer.json()["predictions"]
    direct = model.predict([salt] * 4, hull, input_structure=structure).to_dicts()
    direct += model.predict("NaCl3", hull).to_dicts()
    assert [one["material_id"] for one in rows] == ["crystal 0", "crystal 1", "crystal 2", "mine", "NaCl3"]
    for one, expected in zip(rows, direct, strict=True):
        for name in expected.keys() - {"material_id", "source"}:
            wanted = expected[name]
            assert one[name] == (pytest.approx(wanted, abs=1e-6) if isinstance(wanted, float) else wanted), name
    assert answer.json()["hull"]["n_phases"] == 2


def test_a_cif_may_be_the_body(client, salts):
    answer = client.post("/predict", content=salts[4].to(fmt="cif"), headers={"content-type": "chemical/x-cif"})
    assert answer.json()["predictions"][0]["formula_pretty"] == "NaCl"


def test_rows_of_arrays(client):
    crystal = Crystal.from_ase(bulk("NaCl", "rocksalt", 5.69))
    arrays = {name: getattr(crystal, name).tolist() for name in ("lattice", "atomic_numbers", "frac_coords")}
    flat = arrays | {"lattice": crystal.lattice.ravel().tolist()}
    answer = ask(client, arrays, flat, {"material_id": "a", "formula": "MgO"})
    assert [row["formula_pretty"] for row in answer.json()["predictions"]] == ["NaCl", "NaCl", "MgO"]


def test_what_cannot_be_read_is_named_and_the_others_are_answered(client, salts):
    disordered, large, broken = (salts[0].copy() for _ in range(3))
    disordered.replace(0, {"Li": 0.5, "Na": 0.5})
    large.make_supercell(3)
    broken.append("Li", [0.001, 0, 0])
    nan = salts[0].as_dict()
    nan["lattice"]["matrix"][0][0] = float("nan")
    wrong = [disordered.as_dict(), disordered.to(fmt="cif"), large.to(fmt="cif"), broken.as_dict(), nan, "Xx2O3", "", 7]
    wrong += ["data_x\n_cell_length_a 1\n", salts[0].to(fmt="cif").replace("Li", "Qq"), "NaCl9999", None, [], {}]
    body = json.dumps({"crystals": [*wrong, salts[4].to(fmt="cif")]})
    answer = client.post("/predict", content=body, headers=JSON)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert [row["formula_pretty"] for row in content["predictions"]] == ["NaCl"]
    reasons = {one["name"]: one["reason"] for one in content["not_predicted"]}
    words = [
        "partially",
        "partially",
        "54 atoms, more than 40",
        "apart",
        "not finite",
        "no formula",
        "",
        "int is neither",
    ]
    words += ["no atoms", "no known element", "9999", "NoneType", "list is neither", "no 'lattice'"]
    assert len(reasons) == len(wrong)
    for place, word in enumerate(words):
        assert word in reasons[f"crystal {place}"], reasons
        assert "\n" not in reasons[f"crystal {place}"]
    assert not any(secret in answer.text for secret in SECRETS), answer.text


WRONG = {
    "no JSON": (b"nothing", JSON, 400, "no JSON"),
    "endless": (b"[" * 100_000, JSON, 400, "no JSON"),
    "no text": (b"\xff\xfe\x00", JSON, 400, "no JSON"),
    "no text in a CIF": (b"\xff\xfe\x00", {"content-type": "chemical/x-cif"}, 400, "no UTF-8"),
    "empty": (b"", JSON, 400, "no JSON"),
    "a list": (b"[1]", JSON, 422, 'list "crystals"'),
    "no crystals": (b'{"crystals": []}', JSON, 422, 'list "crystals"'),
    "unknown key": (b'{"crystals": ["MgO"], "hull": "/etc"}', JSON, 422, "'hull' is no key"),
    "unknown structure": (b'{"crystals": ["MgO"], "input_structure": []}', JSON, 422, "relaxed or unrelaxed"),
    "nothing good": (b'{"crystals": ["Xx", "Yy"]}', JSON, 422, "nothing can be predicted: crystal 0: 'Xx'"),
    "too many": (json.dumps({"crystals": ["MgO"] * 21}).encode(), JSON, 413, "21 crystals"),
    "too large": (b" " * 1_000_001, JSON, 413, "larger than 1 MB"),
    "a form": (b"crystals=MgO", {"content-type": "text/plain"}, 415, "content-type"),
    "no type": (b"{}", {}, 415, "content-type"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_gets_one_sentence(client, case):
    body, headers, status, sentence = WRONG[case]
    answer = client.post("/predict", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert sentence in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert not any(secret in answer.text for secret in SECRETS)


def test_a_body_without_its_length_is_limited_too(client):
    pieces = (b" " * 100_000 for _ in range(20))
    answer = client.post("/predict", content=pieces, headers=JSON)
    assert answer.status_code == 413


def test_a_body_that_does_not_come_is_given_up():
    from starlette.requests import Request

    from lodestone.serving.faults import Fault
    from lodestone.serving.questions import body_of

    async def receive():
        await asyncio.sleep(3600)

    request = Request({"type": "http", "headers": []}, receive)
    with pytest.raises(Fault, match=r"did not come within 0\.01 s"):
        asyncio.run(body_of(request, Limits(seconds=0.01)))


def test_a_database_is_no_hull_of_a_server(model):
    for name in ("optimade", "materials_project"):
        with pytest.raises(LodestoneError, match="make a snapshot of it once"):
            model.every_phase(name)


def test_other_places_and_methods_get_a_sentence(client):
    for answer, status in ((client.get("/predict"), 405), (client.post("/x"), 404), (client.get("/../etc"), 404)):
        assert answer.status_code == status
        assert "predict" in answer.json()["error"]
    assert client.get("/health").json() == {"status": "ok"}


def test_a_fault_of_ours_says_nothing_of_this_machine(serve, monkeypatch):
    def broken(*_):
        raise OSError(str(ROOT / "secret"))

    monkeypatch.setattr(module, "prediction_table", broken)
    answer = ask(serve(loud=False), "MgO")
    assert answer.status_code == 500
    assert "could not be answered" in answer.json()["error"]
    assert not any(secret in answer.text for secret in SECRETS)


def test_questions_answered_together_get_what_each_gets_alone(model, phases, salts):
    def question(crystals, structure):
        body = {"crystals": crystals, "input_structure": structure}
        return read_question(json.dumps(body).encode(), "application/json", Limits())

    texts = [salt.to(fmt="cif") for salt in salts]
    some = [
        question(texts[:3], "relaxed"),
        question([texts[4], "KBr"], "unrelaxed"),
        question(["Xx", *texts[4:6]], "relaxed"),
        question(["Xx"], "relaxed"),
    ]
    together = answer_together(model, phases, some)
    for one, answers in zip(some, together, strict=True):
        (alone,) = answer_together(model, phases, [one])
        assert answers.unread == alone.unread
        for ours, its in zip(answers.table.to_dicts(), alone.table.to_dicts(), strict=True):
            assert ours == {n: pytest.approx(v, abs=1e-6) if isinstance(v, float) else v for n, v in its.items()}
        assert (answers.phases is None) == (alone.phases is None)


def test_batches_lose_nothing_and_one_bad_question_spoils_no_other():
    sizes, running = [], []

    def double(numbers):
        running.append(1)
        assert len(running) == 1
        sizes.append(len(numbers))
        if 13 in numbers:
            running.clear()
            raise ValueError("unlucky")
        running.clear()
        return [2 * number for number in numbers]

    async def ask_all():
        batches = Batches(double, most=8)
        return await asyncio.gather(*map(batches.ask, range(40)), return_exceptions=True)

    answers = asyncio.run(ask_all())
    assert [2 * n for n in range(40) if n != 13] == [answer for answer in answers if isinstance(answer, int)]
    assert str(answers[13]) == "unlucky"
    assert max(sizes) == 8

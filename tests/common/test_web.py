"""What every app does with a request, shown on a small one of its own."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Blueprint, Flask, g, request

from common.config import Config
from common.errors import Conflict, Invalid, NotFound
from common.identity import HEADER
from common.service import services
from common.web import create_app, forms, paging, require, respond
from tests.conftest import CAST, Client

bp = Blueprint("toy", __name__)
made: list[str] = []


@bp.get("/hello")
def hello() -> Any:
    return respond.json({"name": g.user.name, "cursor": paging.asked(UUID)})


@bp.get("/away")
def gone() -> Any:
    raise NotFound("There is no such thing.")


@bp.get("/fault")
def fault() -> Any:
    raise ZeroDivisionError("a secret detail")


@bp.get("/managers")
def managers() -> Any:
    require("manager")
    return respond.json({})


@bp.post("/things")
def add_thing() -> Any:
    if not request.form.get("name"):
        raise Invalid({"name": "A thing needs a name."})
    primary = next(s for s in services() if s.name == "tracker").primary()

    def make() -> str:
        made.append(request.form["name"])
        return request.form["name"]

    result, is_new = forms.once(primary, make)
    return respond.done("/hello", {"name": result}, message="Made.", created=is_new)


@bp.get("/things.csv")
def things_csv() -> Any:
    rows = [{"name": "=1+1", "cents": -5}, {"name": 'a "b"\nc', "cents": None}]
    return respond.csv_stream("things.csv", ["name", "cents"], rows)


@bp.post("/busy")
def busy() -> Any:
    raise Conflict("It is done already.")


@pytest.fixture(scope="module")
def app(settings: Config) -> Flask:
    return create_app("tracker", settings, bp)


@pytest.fixture
def bob(app: Flask, settings: Config, clean: None) -> Client:
    made.clear()
    return Client(app, settings, CAST.bob, uuid4())


def test_a_signed_request_is_known(bob: Client) -> None:
    assert bob.get("/hello").json["name"] == "Bob"


def test_without_a_signature_nothing_is_served(bob: Client) -> None:
    assert bob.http.get("/hello").status_code == 401
    assert bob.http.get("/no-such-page").status_code == 401
    assert bob.http.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1],
        lambda token: token.replace("7", "8"),
        lambda token: "",
        lambda token: "x" * 5000,
        lambda token: token + "," + token,
    ],
)
def test_a_spoilt_signature_is_refused(bob: Client, spoil: Callable[[str], str]) -> None:
    token = bob.headers("GET", "/hello", True)[HEADER]

    answer = bob.http.get("/hello", headers={HEADER: spoil(token)})

    assert answer.status_code == 401


def test_a_signature_is_good_for_its_own_request_only(bob: Client) -> None:
    token = bob.headers("GET", "/hello", True)[HEADER]

    assert bob.http.get("/away", headers={HEADER: token}).status_code == 401
    assert bob.http.post("/hello", headers={HEADER: token}).status_code == 401
    assert bob.http.get("/hello", headers=[(HEADER, token), (HEADER, token)]).status_code == 401


def test_an_old_signature_is_refused(bob: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    token = bob.headers("GET", "/hello", True)[HEADER]
    monkeypatch.setattr("common.identity.LIFE_S", -1)

    assert bob.http.get("/hello", headers={HEADER: token}).status_code == 401


def test_a_form_without_its_token_is_refused(bob: Client) -> None:
    answer = bob.send("POST", "/things", data={"name": "lamp"})

    assert answer.status_code == 403
    assert made == []


def test_a_refusal_is_a_sentence_on_a_page_or_in_json(bob: Client) -> None:
    page = bob.get("/away", html=True)
    twin = bob.get("/away")

    assert page.status_code == twin.status_code == 404
    assert "There is no such thing." in page.text
    assert twin.json == {"error": "There is no such thing."}
    assert bob.get("/nowhere").json == {"error": "There is no such page."}
    assert bob.post("/busy").status_code == 409


def test_a_fault_shows_nothing_of_itself(bob: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = bob.get("/fault", html=True)

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "a secret detail" in caplog.text


def test_a_page_above_ones_role_is_refused(bob: Client) -> None:
    assert bob.get("/managers").status_code == 403


def test_wrong_fields_come_back_by_name(bob: Client) -> None:
    answer = bob.post("/things", {"name": ""})

    assert answer.status_code == 422
    assert answer.json["fields"] == {"name": "A thing needs a name."}


def test_the_same_form_twice_does_one_thing(bob: Client) -> None:
    first = bob.post("/things", {"name": "lamp", "form_key": "k1"})
    second = bob.post("/things", {"name": "lamp", "form_key": "k1"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json == second.json
    assert made == ["lamp"]


@pytest.mark.promise(23)
def test_the_same_key_with_another_body_is_refused(bob: Client) -> None:
    bob.post("/things", {"name": "lamp", "form_key": "k1"})

    assert bob.post("/things", {"name": "desk", "form_key": "k1"}).status_code == 409
    assert made == ["lamp"]


def test_the_same_key_of_another_person_is_another_key(
    bob: Client, app: Flask, settings: Config
) -> None:
    cat = Client(app, settings, CAST.cat, uuid4())

    bob.post("/things", {"name": "lamp", "form_key": "k1"})
    cat.post("/things", {"name": "lamp", "form_key": "k1"})

    assert made == ["lamp", "lamp"]


def test_a_message_is_shown_once(bob: Client) -> None:
    answer = bob.post("/things", {"name": "lamp"}, html=True)

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/hello"
    assert "Made." in bob.get("/away", html=True).text
    assert "Made." not in bob.get("/away", html=True).text


def test_csv_is_no_formula(bob: Client) -> None:
    answer = bob.get("/things.csv")

    assert answer.text == 'name,cents\r\n\'=1+1,-5\r\n"a ""b""\nc",\r\n'
    assert answer.mimetype == "text/csv"


@pytest.mark.parametrize("cursor", ["", "%%%", "WyI3Il0", "AAAA", "é", "W10"])
def test_a_cursor_that_fits_nothing_is_the_first_page(bob: Client, cursor: str) -> None:
    assert bob.get(f"/hello?cursor={cursor}").json["cursor"] is None


def test_a_cursor_comes_back_as_the_key(bob: Client) -> None:
    key = uuid4()

    found = bob.get(f"/hello?cursor={paging.cursor_of(key)}").json["cursor"]

    assert found == [str(key)]


def test_a_body_over_the_limit_is_refused(bob: Client) -> None:
    answer = bob.post("/things", {"name": "x" * (22 * 1024 * 1024)})

    assert answer.status_code == 413

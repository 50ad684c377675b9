"""CSV files, good and bad, through the page and the command."""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from common.config import Config
from common.errors import Invalid
from tests.conftest import Cast, Client
from tests.tracker.conftest import asked, work
from tracker import cli, importing
from tracker.models import primary


def parse(data: bytes | str) -> tuple[list[Any], list[Any]]:
    raw = data.encode() if isinstance(data, str) else data
    report = importing.Report()
    drafts = [draft for batch in importing.batches(io.BytesIO(raw), report) for draft in batch]
    return drafts, [(each["row"], each["reason"]) for each in report.refused]


def test_good_rows_are_drafts_and_the_others_say_why() -> None:
    drafts, refused = parse(
        "\ufeffTitle,JIRA_ID,description,owner\r\n"
        '"[A-1] - One, two",,"Line\r\nline",x\r\n'
        ",,empty,x\r\n"
        "Two,B-2,,x\r\n"
        "\r\n"
        "Three,bad key,,x\r\n"
        "Four,,,x,surplus\r\n"
        "Five\r\n"
    )

    assert [(each.title, each.jira_id, each.description) for each in drafts] == [
        ("One, two", "A-1", "Line\nline"),
        ("Two", "B-2", ""),
        ("Five", None, ""),
    ]
    assert [row for row, _ in refused] == [2, 4, 5]
    assert all(reason.endswith(".") for _, reason in refused)


@pytest.mark.parametrize(
    ("cell", "title"),
    [
        ("'=1+1", "=1+1"),
        ("'-5", "-5"),
        ("'+x", "+x"),
        ("'@home", "@home"),
        ("''=x", "''=x"),
        ("'quoted'", "'quoted'"),
        ("'", "'"),
        ("=1+1", "=1+1"),
    ],
)
def test_an_apostrophe_against_formulas_is_taken_off(cell: str, title: str) -> None:
    assert parse(f"title\n{cell}\n")[0][0].title == title


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"name,jira_id\nx,y\n",
        b"title;jira_id\nx;y\n",
        b"title\n\xff\xfe\n",
        "title\nx\n".encode("utf-16"),
    ],
)
def test_what_is_no_such_table_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(Invalid) as error:
        parse(data)

    assert list(error.value.fields) == ["file"]


def test_a_cell_of_any_length_refuses_its_row_alone() -> None:
    drafts, refused = parse(b"title\nfine\n" + b"x" * 200_000 + b"\nfine\n")

    assert len(drafts) == 2
    assert [row for row, _ in refused] == [2]


def test_a_nul_refuses_its_row_alone() -> None:
    drafts, refused = parse(b"title\nfine\nno\x00t\nfine\n")

    assert len(drafts) == 2
    assert [row for row, _ in refused] == [2]


def send(client: Client, data: bytes | str, **more: Any) -> Any:
    raw = data.encode() if isinstance(data, str) else data
    return client.post("/tasks/import", {"file": (io.BytesIO(raw), "tasks.csv")}, **more)


def test_a_file_is_imported_through_the_page(cast: Cast, client: Callable[..., Client]) -> None:
    ann = client("tracker", cast.ann)
    data = "title\nOne\n\x07bell\nThree\n"

    twin = send(ann, data)
    page = ann.post(
        "/tasks/import",
        {"file": (io.BytesIO(data.encode()), "t.csv"), "form_key": "k"},
        html=True,
    )
    again = ann.post(
        "/tasks/import",
        {"file": (io.BytesIO(data.encode()), "t.csv"), "form_key": "k"},
        html=True,
    )
    report = ann.get(page.location, html=True).text

    assert twin.status_code == 201
    assert twin.json["added"] == 2
    assert [each["row"] for each in twin.json["refused"]] == [2]
    assert page.location == again.location == "/tasks/import?report=k"
    assert "Control characters" in report
    assert primary.value("SELECT count(*) FROM task") == 4


def test_a_file_can_be_tried_before(
    cast: Cast, client: Callable[..., Client], replayed: Callable[[], None]
) -> None:
    ann = client("tracker", cast.ann)
    replayed()

    def sent(html: bool) -> Any:
        file = (io.BytesIO(b"title\n[SHOP-1] - Sweep\nDust\n\x07\n"), "tasks.csv")
        return ann.post("/tasks/import", {"file": file, "dry_run": "true"}, html=html)

    facts, page = sent(html=False), sent(html=True)

    assert (facts.status_code, page.status_code) == (200, 200)
    assert (facts.json["would_add"], facts.json["added"], facts.json["workers"]) == (2, 0, 3)
    assert [row["row"] for row in facts.json["refused"]] == [3]
    assert facts.json["fees_cents"] == {"least": 2000, "most": 4000}
    assert facts.json["first"][0] == {"title": "Sweep", "jira_id": "SHOP-1"}
    assert "Nothing was added." in page.text
    assert primary.value("SELECT count(*) FROM task") == 0


def test_bad_files_and_people_are_refused(cast: Cast, client: Callable[..., Client]) -> None:
    ann, bob = client("tracker", cast.ann), client("tracker", cast.bob)

    assert send(bob, "title\nOne\n").status_code == 403
    assert ann.post("/tasks/import").status_code == 422
    assert send(ann, b"title\n\xff\n").json["fields"] == {"file": importing.NOT_UTF8}
    assert send(ann, b"name\nx\n", html=True).status_code == 422
    assert send(ann, b"title\n" + b"x" * (20 * 1024 * 1024)).status_code == 413
    assert primary.value("SELECT count(*) FROM task") == 0


def test_what_the_export_spells_is_read_back(
    cast: Cast, client: Callable[..., Client], replayed: Callable[[], None]
) -> None:
    ann = client("tracker", cast.ann)
    send(ann, 'title,description\n"\'=SUM(A1)","\'-dash\nand more"\nПростая,plain\n')
    replayed()

    exported = ann.get("/tasks.csv").text
    report = send(ann, exported).json

    assert report == {"added": 2, "refused": []}
    rows = primary.rows("SELECT title, description, count(*) FROM task GROUP BY 1, 2 ORDER BY 1")
    assert [(row["title"], row["description"], row["count"]) for row in rows] == [
        ("=SUM(A1)", "-dash\nand more", 2),
        ("Простая", "plain", 2),
    ]


def test_five_thousand_rows_take_seconds(cast: Cast, client: Callable[..., Client]) -> None:
    data = "title,description\n" + "".join(
        f"[REL-{n}] - Проверить выпуск {n},описание {n}\n" for n in range(5000)
    )

    began = time.monotonic()
    report = send(client("tracker", cast.ann), data).json

    assert report == {"added": 5000, "refused": []}
    assert time.monotonic() - began < 5


@pytest.fixture
def invoke(settings: Config, cast: Cast) -> Callable[..., Any]:
    def run(command: Any, *args: str) -> Any:
        return CliRunner().invoke(command, list(args))

    return run


def test_the_command_imports_a_file_in_batches(
    invoke: Callable[..., Any], tmp_path: Path, cast: Cast
) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text("title\n" + "Sweep\n" * 2500 + "\x07\n", encoding="utf-8-sig")

    done = invoke(cli.import_command, str(file))

    assert done.exit_code == 0, done.output
    assert "2,500 tasks added, 1 rows refused." in done.output
    assert primary.value("SELECT count(*) FROM run WHERE kind = 'import'") == 3
    assert primary.value("SELECT DISTINCT added_by FROM task") == cast.fay.id


def test_the_command_refuses_a_file_before_it_adds_anything(
    invoke: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "tasks.csv"
    file.write_bytes(b"title\n" + b"Sweep\n" * 2500 + b"\xff\n")

    done = invoke(cli.import_command, str(file))

    assert isinstance(done.exception, Invalid)
    assert primary.value("SELECT count(*) FROM task") == 0


def test_the_command_checks_a_run(invoke: Callable[..., Any], tmp_path: Path, cast: Cast) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text("title\n" + "Sweep\n" * 50)
    invoke(cli.import_command, str(file), "--by", str(cast.ann.id))
    run_id = asked(cast.ann)
    work()

    fair = invoke(cli.check, str(run_id))
    primary.run(
        "UPDATE deal SET assignee_id = %s WHERE task_id = (SELECT id FROM task LIMIT 1)",
        cast.eve.id,
    )
    forged = invoke(cli.check, str(run_id))

    assert "50 of 50 deals agree" in fair.output
    assert "49 of 50 deals agree" in forged.output
    assert forged.exit_code == 1

"""What the shared templates promise to the services', and what all of them must keep."""

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask, g, render_template_string

from common.config import Config
from common.identity import Identity
from common.web import create_app
from common.web.respond import STATIC

ROOT = STATIC.parents[1]
PAGES = [page for page in ROOT.glob("*/templates/**/*.html") if page.name != "letter.html"]
NOBODY = UUID(int=0)
UI = '{% import "macros.html" as ui with context %}'
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?! src=)")


@pytest.fixture
def app() -> Flask:
    return create_app("gateway", Config({"EXCHANGE_SECRET_KEY": "k" * 32}), identify=lambda: None)


def render(app: Flask, template: str, role: str = "", path: str = "/", **facts: object) -> str:
    """What the template makes for somebody of this role, without the space between tags."""
    user = Identity(NOBODY, "Bob", role, NOBODY, "gateway", "GET", path, "x") if role else None
    with app.test_request_context(path):
        g.user = user
        return re.sub(r">\s+", ">", render_template_string(UI + template, **facts))


def test_a_field_shows_what_was_typed_and_ties_its_error_to_it(app: Flask):
    typed = '"><script>alert(1)</script>'

    text = render(app, '{{ ui.field("title", "Title", typed, "Too long.") }}', typed=typed)

    assert 'value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in text
    assert 'aria-describedby="field-title-error" aria-invalid="true"' in text
    assert '<p class="error" id="field-title-error">Too long.' in text


def test_two_fields_of_one_name_have_ids_of_their_own(app: Flask):
    fields = '{{ ui.field("role", "Role") }}{{ ui.field("role", "Role") }}'

    text = render(app, "{% call ui.filters() %}" + fields + "{% endcall %}" + fields)

    found = re.findall(r'<input type="text" id="([\w-]+)"', text)
    assert found == ["filter-role", "filter-role-2", "field-role", "field-role-2"]


def test_a_button_that_asks_first_does_so_without_script(app: Flask):
    text = render(
        app, '{{ ui.post("/x", "Withdraw", confirm="Withdraw it?", yes="Yes") }}', "manager"
    )

    assert text.startswith('<details class="confirm">')
    assert text.index("</summary>") < text.index("Withdraw it?") < text.index(">Yes</button>")
    assert 'name="csrf_token"' in text
    assert 'name="form_key"' in text


def test_old_figures_say_how_old_they_are(app: Flask):
    age = "{{ ui.age(moment, lag_s) }}"
    moment = datetime(2026, 3, 2, 14, 3, tzinfo=UTC)

    assert "14:03 UTC" in render(app, age, moment=moment, lag_s=0.2)
    assert "old" not in render(app, age, moment=moment, lag_s=0.2)
    assert "data is 42 s old" in render(app, age, moment=moment, lag_s=42.7)


@pytest.mark.parametrize(
    ("role", "absent"),
    [
        ("worker", ["/payout-runs", "/accounting", "/reassignments", "/analytics", "/users"]),
        ("accountant", ["/reassignments", "/analytics", "/users", "/mail", "/events"]),
        ("manager", ["/payout-runs", "/accounting", "/analytics", "/users", "/mail", "/events"]),
        ("admin", []),
    ],
)
def test_the_head_leads_where_the_role_may_go(app: Flask, role: str, absent: list[str]):
    text = render(app, '{% extends "base.html" %}', role, "/tasks")

    own = "?assignee=me" if role in ("worker", "accountant") else ""
    assert f'<a href="/tasks{own}" aria-current="page">' in text
    assert [path for path in absent if f'href="{path}"' in text] == []


def test_a_live_part_is_kept_up_to_date_without_script(app: Flask):
    live = '{% extends "base.html" %}{% block content %}<div data-live="2"></div>{% endblock %}'

    assert '<noscript><meta http-equiv="refresh"' in render(app, live)
    assert "http-equiv" not in render(app, live.replace("data-live", "data-dead"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parts[-4]}/{page.name}")
def test_no_page_needs_an_exception_from_the_content_policy(page: Path):
    assert INLINE.findall(page.read_text()) == []


def test_the_design_is_small():
    assert (STATIC / "app.css").stat().st_size <= 18 * 1024
    assert (STATIC / "app.js").stat().st_size <= 4 * 1024

"""Charts as SVG files of their own: no script, colours for light and dark."""

import re
from collections.abc import Sequence
from datetime import date
from xml.etree import ElementTree

import pygal
from flask import Response
from pygal.style import Style

from common.db import Row
from common.say import say
from common.web.language import short_day, translated

# Mid-tones that read on white and on black; an image cannot know its page's theme for certain.
GREEN, RED, BLUE, GREY = "#2e9e6b", "#d1603d", "#4a7fd6", "#8a8f98"
STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground=GREY,
    foreground_strong=GREY,
    foreground_subtle=GREY,
    guide_stroke_color="#8a8f9855",
    major_guide_stroke_color="#8a8f9888",
    font_family="system-ui, sans-serif",
    colors=(GREEN, RED, BLUE, GREY),
    opacity=".85",
    opacity_hover="1",
)
LABELS_MAX = 8
BARS_MAX = 62
COMPANY = (
    (say("Fees"), "fees_cents"),
    (say("Rewards"), "rewards_cents"),
    (say("Company earned"), "company_cents"),
)
EARNINGS = (
    (say("Rewards"), "rewards_cents"),
    (say("Fees"), "fees_cents"),
    (say("Balance at the end"), "balance_cents"),
)
BEFORE = say("Company earned, the period before")
EXACT = re.compile(rb"(\d\.\d)\d+")
SCRIPTED = ("script", "desc", "title")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

Series = Sequence[tuple[str, str]]


def company(days: list[Row], before: list[Row]) -> bytes:
    """Fees, rewards and what the company made of them, day by day from left to right, with what it
    made on as many days before.
    """
    chart = by_day([row["day"] for row in days], COMPANY, days)
    chart.add(
        translated(BEFORE),
        [row["company_cents"] / 100 for row in before],
    )
    return drawn(chart)


def earnings(days: list[Row]) -> bytes:
    """A person's rewards, fees and balance, day by day from left to right."""
    return drawn(by_day([row["since"] for row in days], EARNINGS, days, height=300))


def by_day(labels: list[date], series: Series, rows: list[Row], height: int = 360) -> pygal.Graph:
    kind = pygal.Bar if len(labels) <= BARS_MAX else pygal.Line
    chart = kind(
        style=STYLE,
        js=[],
        width=960,
        height=height,
        margin=12,
        margin_bottom=28,
        show_dots=False,
        show_minor_x_labels=False,
        truncate_label=-1,
        truncate_legend=-1,
        legend_at_bottom=True,
        legend_at_bottom_columns=4,
        value_formatter="{:,.0f}".format,
        no_data_text=translated(say("No business day in this period")),
    )
    chart.x_labels = [short_day(day) for day in labels]
    chart.x_labels_major = chart.x_labels[:: -(-len(labels) // LABELS_MAX) or 1]
    for title, name in series:
        chart.add(translated(title), [row[name] / 100 for row in rows])
    return chart


def drawn(chart: pygal.Graph) -> bytes:
    """Without what only a script of pygal's would use and what no eye can see, most of it."""
    tree = chart.render_tree()
    for parent in list(tree.iter()):
        for child in [child for child in parent if child.tag in SCRIPTED]:
            parent.remove(child)
    svg = ElementTree.tostring(tree).replace(f"chart-{chart.uuid}".encode(), b"chart")
    return EXACT.sub(rb"\1", svg)


def answer(svg: bytes) -> Response:
    """The chart as a file that may load and run nothing."""
    found = Response(svg, mimetype="image/svg+xml")
    found.headers["Content-Security-Policy"] = POLICY
    return found

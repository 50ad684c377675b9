"""Charts as SVG files of their own: no script, colours for light and dark."""

from xml.etree import ElementTree

import pygal
from pygal.style import Style

from common.db import Row

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
    colors=(GREEN, RED, BLUE),
    opacity=".85",
    opacity_hover="1",
)
LABELS_MAX = 8
BARS_MAX = 62
SERIES = (("Fees", "fees_cents"), ("Rewards", "rewards_cents"), ("Company", "company_cents"))


def company(days: list[Row]) -> bytes:
    """Fees, rewards and what the company made of them, day by day from left to right."""
    kind = pygal.Bar if len(days) <= BARS_MAX else pygal.Line
    chart = kind(
        style=STYLE,
        js=[],
        width=960,
        height=360,
        margin=12,
        show_dots=False,
        show_minor_x_labels=False,
        truncate_label=-1,
        legend_at_bottom=True,
        legend_at_bottom_columns=len(SERIES),
        value_formatter="{:,.0f}".format,
        no_data_text="No business day in this period",
    )
    chart.x_labels = [f"{row['day']:%d %b %Y}" for row in days]
    chart.x_labels_major = chart.x_labels[:: -(-len(days) // LABELS_MAX) or 1]
    for title, name in SERIES:
        chart.add(title, [row[name] / 100 for row in days])
    return without_script(chart.render_tree())


def without_script(tree: ElementTree.Element) -> bytes:
    for parent in list(tree.iter()):
        for script in [child for child in parent if child.tag == "script"]:
            parent.remove(script)
    return ElementTree.tostring(tree)

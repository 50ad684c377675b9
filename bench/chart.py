"""Time against size as a picture."""

from pathlib import Path
from typing import Any

import pygal
from pygal.style import CleanStyle


def draw(points: dict[int, dict[str, float]], path: Path) -> None:
    """`{size: {name: seconds}}` as lines over both axes in powers of ten."""
    chart: Any = pygal.XY(
        style=CleanStyle, js=[], width=720, height=420, logarithmic=True, legend_at_bottom=True,
        title="Time against size", x_title="open tasks", y_title="seconds",
        xrange=(min(points), max(points)), x_value_formatter="{:,.0f}".format,
        value_formatter="{:,.2f} s".format,
    )  # fmt: skip
    for name in next(iter(points.values())):
        chart.add(name, [(size, seconds[name]) for size, seconds in points.items()])
    chart.render_to_file(str(path))

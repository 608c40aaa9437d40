"""Reports: one HTML file each, with pictures, that needs nothing else; readable in the dark and on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from knowledge_base.whole_file import whole_file

__all__ = ["Bars", "Curves", "Matrix", "Report", "Section", "Table", "write_report"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a head; numbers stand to the right."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar for each name."""

    values: Mapping[str, float]
    title: str


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines over the same axis, each with its points (x, y)."""

    lines: Mapping[str, Sequence[tuple[float, float]]]
    title: str
    x: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """A square of counts, darker where there are more; the diagonal is left pale."""

    names: Sequence[str]
    rows: Sequence[Sequence[int]]
    title: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what is below it."""

    title: str
    text: str = ""
    parts: Sequence[Table | Bars | Curves | Matrix] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report."""

    title: str
    summary: Mapping[str, object]
    sections: Sequence[Section] = field(default_factory=tuple)


def write_report(report: Report, path: Path) -> None:
    """Writes a report, whole or not at all.

    Raises:
        OSError: there is no room or no right to write.
    """
    pictures: list[Markup] = []
    sections = [
        {
            "title": section.title,
            "text": section.text,
            "parts": [
                {"table": part} if isinstance(part, Table) else {"picture": _picture(part, pictures)}
                for part in section.parts
            ],
        }
        for section in report.sections
    ]
    page = Environment(autoescape=True).from_string(_PAGE)
    html = page.render(title=report.title, summary=report.summary, sections=sections, number=_is_number)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_text(html, encoding="utf-8")


def _picture(part: Bars | Curves | Matrix, before: list[Markup]) -> Markup:
    """The picture as a piece of HTML; the first one brings the library along."""
    import plotly.graph_objects as go

    figure = go.Figure()
    if isinstance(part, Bars):
        names = list(part.values)[::-1]
        figure.add_bar(
            x=[part.values[name] for name in names], y=names, orientation="h", marker_color=_COLOURS[0]
        )
        figure.update_yaxes(type="category")
        height = 110 + 24 * len(names)
    elif isinstance(part, Matrix):
        wrong = [[0 if i == j else n for j, n in enumerate(row)] for i, row in enumerate(part.rows)]
        names = list(part.names)
        figure.add_heatmap(z=wrong, x=names, y=names, colorscale=_SCALE, showscale=False, xgap=1, ygap=1)
        figure.update_yaxes(autorange="reversed", type="category")
        figure.update_xaxes(type="category", tickangle=60)
        height = 240 + 18 * len(names)
    else:
        for number, (name, points) in enumerate(part.lines.items()):
            figure.add_scatter(
                x=[x for x, _ in points],
                y=[y for _, y in points],
                name=name,
                mode="lines+markers" if len(points) < 40 else "lines",
                line_color=_COLOURS[number % len(_COLOURS)],
            )
        figure.update_xaxes(title=part.x)
        height = 380
    figure.update_layout(
        title=part.title,
        height=height,
        margin={"l": 10, "r": 20, "t": 50, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, 'Noto Sans CJK SC', sans-serif", "color": "#7a8699"},
        legend={"orientation": "h", "y": 1.08},
        yaxis={"automargin": True, "gridcolor": "rgba(128,128,128,.25)"},
        xaxis={"gridcolor": "rgba(128,128,128,.25)"},
    )
    config: dict[str, Any] = {"displayModeBar": False, "responsive": True}
    html = Markup(figure.to_html(full_html=False, include_plotlyjs=not before, config=config))
    before.append(html)
    return html


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_COLOURS = ("#2563eb", "#e07b00", "#0d9488", "#9333ea", "#dc2626", "#65a30d")

_SCALE = [[0.0, "rgba(37,99,235,.06)"], [1.0, "rgba(220,38,38,1)"]]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#d8dee8;--card:#fff;--ground:#f4f6fa}
@media(prefers-color-scheme:dark){:root{--ink:#e7ecf3;--soft:#9aa7b8;--line:#2c3644;--card:#18202b;--ground:#10161e}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.55 system-ui,"Noto Sans CJK SC","PingFang SC",sans-serif}
main{max-width:980px;margin:0 auto;padding:32px 16px 64px}
h1{font-size:26px;line-height:1.25;margin:0 0 20px}
h2{font-size:18px;margin:0 0 8px}
section,dl{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;margin:0 0 18px}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:14px}
dt{color:var(--soft);font-size:13px}
dd{margin:0;font-size:19px;font-weight:600;overflow-wrap:anywhere}
p{margin:0 0 12px;color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:6px 10px;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:break-word}
th{color:var(--soft);font-weight:600}
th:not(.n),td:not(.n){min-width:7em}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
th.n{white-space:normal}
</style></head><body><main>
<h1>{{ title }}</h1>
<dl>{% for name, value in summary.items() %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>
{% for section in sections %}<section><h2>{{ section.title }}</h2>
{% if section.text %}<p>{{ section.text }}</p>{% endif %}
{% for part in section.parts %}{% if part.picture %}{{ part.picture }}{% else %}<div class="wide"><table>
<tr>{% for name in part.table.head %}<th{% if part.table.rows and number(part.table.rows[0][loop.index0]) %} class="n"{% endif %}>{{ name }}</th>{% endfor %}</tr>
{% for row in part.table.rows %}<tr>{% for cell in row %}<td{% if number(cell) %} class="n"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table></div>{% endif %}{% endfor %}
</section>{% endfor %}
</main></body></html>
"""

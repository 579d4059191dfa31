# Copyright 2026 iql_ros contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""The frame and the figures of every HTML page, each one file that opens offline."""

import base64
import html
import io

import numpy as np

from iql_ros import __version__
from iql_ros.files import InputError

POLICY, DATA, CLONING = '#1f5fa8', '#8b929c', '#c46a1f'  # one colour for one thing, everywhere
_SHORT = 14  # characters of a table's cell that are not broken into lines
_STYLE = """
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  color: #1c2733; background: #fff; max-width: 54rem; margin: 3rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-top: 1.2rem;
  border-top: 1px solid #dde2e8; }
.subtitle { color: #5b6673; margin: 0 0 1.6rem; }
figure { margin: 1.2rem 0 1.6rem; } figure img { width: 100%; height: auto; display: block; }
figcaption { color: #4a5562; font-size: .9rem; margin-top: .5rem; max-width: 46rem; }
table { border-collapse: collapse; font-size: .92rem; margin: .8rem 0; width: 100%; }
th { text-align: left; color: #5b6673; font-weight: 600; }
th, td { padding: .34rem 1rem .34rem 0; border-bottom: 1px solid #e8ecf0;
  vertical-align: top; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
th:last-child, td:last-child { padding-right: 0; }
th[scope=row] { min-width: 7rem; }
ul { padding-left: 1.2rem; } li { margin: .4rem 0; }
.short { white-space: nowrap; }
footer { color: #7b8592; font-size: .85rem; margin-top: 3rem; }
"""


def page(title: str, sections, subtitle: str = '') -> str:
    """Return a whole HTML page; `sections` are pieces of HTML, `title` and `subtitle` text."""
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n'
            f'<h1>{html.escape(title)}</h1>\n<p class="subtitle">{html.escape(subtitle)}</p>\n'
            + '\n'.join(sections)
            + f'\n<footer>iql_ros {__version__}</footer>\n</body>\n</html>\n')


def section(heading: str, *parts: str) -> str:
    """Return a headed section of pieces of HTML."""
    return '\n'.join([f'<section>\n<h2>{html.escape(heading)}</h2>', *parts, '</section>'])


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f'<p>{html.escape(text)}</p>'


def list_html(texts) -> str:
    """Return a bulleted list of plain texts."""
    return '\n'.join(['<ul>', *(f'<li>{html.escape(text)}</li>' for text in texts), '</ul>'])


def table_html(rows, header=None) -> str:
    """Return a table of anything that str() shows; the first column names the row."""
    lines = ['<table>']
    if header:
        lines.append(f'<tr>{"".join(_cell("th", name) for name in header)}</tr>')
    for first, *rest in rows:
        cells = ''.join(_cell('td', cell) for cell in rest)
        lines.append(f'<tr>{_cell("th", first, scope="row")}{cells}</tr>')
    return '\n'.join([*lines, '</table>'])


def _cell(tag: str, content, **attributes) -> str:
    text = html.escape(str(content))
    if len(str(content)) <= _SHORT:
        attributes['class'] = 'short'
    else:  # a topic or a type is broken where its words end
        text = text.replace('/', '/<wbr>').replace('_', '_<wbr>')
    named = ''.join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<{tag}{named}>{text}</{tag}>'


def figure_html(figure, caption: str) -> str:
    """Return a matplotlib figure as an embedded picture, with what one sees in it as text."""
    picture = io.BytesIO()
    figure.savefig(picture, format='png', dpi=170)
    encoded = base64.b64encode(picture.getvalue()).decode()
    return (f'<figure>\n<img alt="{html.escape(caption)}" src="data:image/png;base64,{encoded}">'
            f'\n<figcaption>{html.escape(caption)}</figcaption>\n</figure>')


def new_figure(columns: int = 1, height: float = 3.1, rows: int = 1, **grid):
    """
    Return a figure and its axes (one, or an array of them), drawn without a display.

    `height` [inches] is of the whole; `grid` are keywords of matplotlib's `Figure.subplots`.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("reports need matplotlib: pip install 'iql_ros[report]'") from None
    figure = Figure(figsize=(8.2, height), layout='constrained')
    axes = figure.subplots(rows, columns, **grid)
    for ax in np.ravel(axes):
        ax.spines[['top', 'right']].set_visible(False)
        ax.spines[['left', 'bottom']].set_color('#aab2bc')
        ax.tick_params(colors='#4a5562', labelsize=9)
        ax.grid(axis='y', color='#e8ecf0', linewidth=0.8)
        ax.set_axisbelow(True)
    return figure, axes


def figure_legend(figure) -> None:
    """Put the legend above the axes, where it hides nothing."""
    figure.legend(loc='outside upper left', ncols=2, frameon=False, fontsize=9)

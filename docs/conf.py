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

"""
How Sphinx builds this folder: `make docs`, or rosdoc2.

rosdoc2 executes a copy of this file elsewhere, with the package importable, and puts the theme of
docs.ros.org on; the same one is used here, so that what one sees is what will be there.
"""

from pathlib import Path
import re
import sys

import iql_ros

DOCS = Path(iql_ros.__file__).resolve().parents[1] / 'docs'
sys.path.insert(0, str(DOCS / '_ext'))
import reference  # noqa: E402, I100 (of _ext)

project = 'iql_ros'
author = 'iql_ros contributors'
copyright = f'2026, {author}'  # noqa: A001 (its name in Sphinx)
version = release = iql_ros.__version__

extensions = ['myst_parser', 'sphinx-mathjax-offline']  # equations without a network
myst_enable_extensions = ['dollarmath']  # $a$ and $$a$$, as GitHub has them
myst_heading_anchors = 4                 # what [text](page.md#heading) may point to
smartquotes = False                      # --option stays as it is typed
exclude_patterns = ['_ext', '_static']

html_theme = 'sphinx_rtd_theme'
html_theme_options = {'navigation_depth': 3}
html_static_path = ['_static']
html_css_files = ['tables.css']
html_show_sourcelink = False
rosdoc2_settings = {'allow_other_extensions': True, 'support_markdown': False,
                    'enable_autodoc': False, 'enable_intersphinx': False,
                    'automatically_extend_intersphinx_mapping': False}


_MARKDOWN_LINK = re.compile(r'\]\(([\w./-]+\.md)(#[\w-]+)?\)')


def setup(app):
    """Let pages be prepared before they are parsed."""
    app.connect('source-read', _prepare)


def _prepare(app, page: str, text: list[str]) -> None:
    """Fill a page's tables; a link to Markdown outside docs/ hands out that file."""
    folder = (DOCS / page).parent

    def link(match: re.Match) -> str:
        inside = (folder / match[1]).resolve().is_relative_to(DOCS)
        return match[0] if inside else f'](path:{match[1]})'
    text[0] = _MARKDOWN_LINK.sub(link, reference.fill(text[0]))

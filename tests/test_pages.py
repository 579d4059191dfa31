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

"""Tests for pages.py."""

import base64
import re

from iql_ros.pages import figure_html, list_html, new_figure, page, section, table_html


def test_what_is_shown_is_escaped():
    text = page('<b>', [section('a & b', table_html([('<i>', 1)], ('', '>')))])
    assert '<h1>&lt;b&gt;</h1>' in text and '&lt;i&gt;' in text and 'a &amp; b' in text
    figure, _ = new_figure(2)
    assert 'alt="5 &lt; 6"' in figure_html(figure, '5 < 6')


def test_a_page_stands_alone_and_says_which_version_made_it():
    text = page('a run', [section('figure', figure_html(new_figure()[0], 'nothing yet'))], 'sub')
    assert text.startswith('<!DOCTYPE html>') and '<footer>iql_ros 0.1.0</footer>' in text
    picture = re.search(r'src="data:image/png;base64,([^"]+)"', text)[1]
    assert base64.b64decode(picture).startswith(b'\x89PNG')
    assert 'http' not in text.replace(picture, '')


def test_a_figure_may_have_rows_and_columns():
    assert new_figure(3, rows=2)[1].shape == (2, 3) and new_figure(3)[1].shape == (3,)


def test_long_cells_break_where_their_words_end_and_short_ones_never():
    text = table_html([('a', 'geometry_msgs/msg/TwistStamped'), ('b', 'c/d')])
    assert 'geometry_<wbr>msgs/<wbr>msg/<wbr>TwistStamped' in text
    assert '<td class="short">c/d</td>' in text


def test_a_list_shows_every_text_once():
    assert list_html(['one', '2 < 3']).splitlines() == [
        '<ul>', '<li>one</li>', '<li>2 &lt; 3</li>', '</ul>']

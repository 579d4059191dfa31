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
Draws stops.png of docs/explanation/safety.md: python docs/images/make_stops.py.

The processes round a robot, what goes between them, and who stops the robot when an arrow breaks.
"""

from pathlib import Path

from iql_ros.pages import DATA, new_figure, POLICY

STOP, INK, GREY = '#b3261e', '#1c2733', '#4a5562'
BOXES = {  # name: (left, bottom, width, height, what it is)
    'learner': (0.0, 2.3, 1.7, 1.1, 'finetune_node'),
    'policy_node': (3.6, 2.3, 2.0, 1.1, 'policy, gate,\nwatchdog'),
    'sentry': (7.9, 2.3, 2.0, 1.1, 'checks again,\npublishes'),
    'robot': (12.3, 0.4, 1.9, 3.0, 'controllers,\ndrivers'),
    'operator': (3.2, 5.1, 2.1, 0.8, '~/intervention/...'),
    'e_stops': (5.9, 5.1, 1.7, 0.8, 'buttons, Bool'),
    'hardware': (12.3, 5.1, 1.9, 0.8, 'emergency stop')}
ARROWS = [  # number, points, what goes there, who stops the robot, both beside (x, y), alignment
    (1, [(12.3, 0.9), (4.6, 0.9), (4.6, 2.3)], 'observations', 'policy_node', (8.45, 0.6), 'top'),
    (2, [(5.6, 3.1), (7.9, 3.1)], 'commands, "looked"', 'the sentry', (6.75, 3.35), 'bottom'),
    (3, [(7.9, 2.6), (5.6, 2.6)], 'answers', 'policy_node itself', (6.75, 2.35), 'top'),
    (4, [(9.9, 2.85), (12.3, 2.85)], 'commands', 'the robot itself:\ndownstream_timeout',
     (11.1, 3.1), 'bottom'),
    (5, [(6.4, 5.1), (5.2, 3.4)], '', '', (0, 0), 'top'),
    (5, [(7.1, 5.1), (8.3, 3.4)], 'the state of a button', 'both, where e_stop_timeout says so',
     (9.95, 4.55), 'top'),
    (6, [(4.2, 5.1), (4.2, 3.4)], 'commands', 'nobody: the\npolicy drives on', (3.15, 4.55),
     'top'),
    (7, [(1.7, 2.85), (3.6, 2.85)], 'weights', 'nobody: the\npolicy drives on', (2.65, 2.6),
     'top'),
    (8, [(13.25, 5.1), (13.25, 3.4)], 'power', '', (13.9, 4.4), 'top')]
LINE = 0.27   # height of a line of words


def draw_box(ax, name: str) -> None:
    """Draw one process or person."""
    left, bottom, width, height, words = BOXES[name]
    ours = name in ('learner', 'policy_node', 'sentry')
    ax.add_patch(_rounded(left, bottom, width, height, '#d5e3f3' if ours else '#f1f3f5',
                          POLICY if ours else DATA))
    middle = bottom + height / 2
    ax.text(left + width / 2, middle + 0.05, name, ha='center', va='bottom', fontsize=10.5,
            color=INK, weight='bold')
    ax.text(left + width / 2, middle - 0.02, words, ha='center', va='top', fontsize=8.5,
            color=GREY)


def _rounded(left, bottom, width, height, face, edge):
    from matplotlib.patches import FancyBboxPatch
    return FancyBboxPatch((left + 0.05, bottom + 0.05), width - 0.1, height - 0.1,
                          boxstyle='round,pad=0.05', facecolor=face, edgecolor=edge)


def draw_arrow(ax, number: int, points, what: str, who: str, place, side: str) -> None:
    """Draw what goes from one to another, its number, and who stops the robot without it."""
    for begin, end in zip(points, points[1:]):
        style = '-|>' if end is points[-1] else '-'
        ax.annotate('', end, begin, arrowprops={
            'arrowstyle': style, 'color': INK, 'lw': 1.3, 'shrinkA': 0, 'shrinkB': 0})
    (x, y), (end_x, end_y) = points[:2]
    ax.text((x + end_x) / 2, (y + end_y) / 2, str(number), ha='center', va='center', fontsize=9,
            color='white', weight='bold',
            bbox={'boxstyle': 'circle,pad=0.25', 'facecolor': INK, 'edgecolor': 'white'})
    lines = [(line, colour) for words, colour in ((what, GREY), (who, STOP))
             for line in words.split('\n')]
    top = place[1] + (LINE * len(lines) if side == 'bottom' else 0)
    for row, (line, colour) in enumerate(lines):
        ax.text(place[0], top - row * LINE, line, ha='center', va='top', fontsize=8, color=colour)


def draw():
    """Return the figure."""
    figure, ax = new_figure(height=4.0)
    ax.grid(visible=False)
    ax.set_axis_off()
    for name in BOXES:
        draw_box(ax, name)
    for arrow in ARROWS:
        draw_arrow(ax, *arrow)
    ax.text(0.0, 0.3, 'red: who stops the robot\nwhen that arrow breaks', fontsize=8.5,
            color=STOP, va='bottom')
    ax.set_xlim(-0.1, 14.6)
    ax.set_ylim(0.0, 6.0)
    return figure


if __name__ == '__main__':
    draw().savefig(Path(__file__).with_name('stops.png'), dpi=170)

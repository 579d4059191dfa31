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

"""The demo of the two-wheeled robot that docks."""

from iql_ros.demo.scene import Scene

_DOCK, _ARENA = 0.10, 1.5            # [m] the plate's radius, half the arena


def _draw(ax) -> None:
    from matplotlib.patches import Circle, Rectangle
    ax.add_patch(Rectangle((-_ARENA, -_ARENA), 2 * _ARENA, 2 * _ARENA, fill=False,
                           edgecolor='#c4ccd4', linewidth=1))
    ax.add_patch(Circle((0, 0), _DOCK, color='#2c8a4b', zorder=3))
    ax.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), aspect='equal', xticks=[-1, 0, 1],
           yticks=[-1, 0, 1], xlabel='x [m]')


DIFFBOT = Scene(
    name='diffbot', environment='iql_ros/Diffbot-v0', rate=5.0,
    other='iql_ros/DiffbotReal-v0', dataset='diffbot/sample-v0', done='docked', does='docks',
    starts='start poses all over the arena',
    title='A robot learns to dock from recordings of which none shows it how',
    asked=(
        'A two-wheeled robot is to drive onto a charging plate, within 10 cm of its centre, from '
        'anywhere in an arena of 3 x 3 m, in 20 s. Every tick of 0.2 s until then costs 1. It '
        'sees its pose in the frame of the dock and the speed of its wheels, and commands its '
        'velocity on cmd_vel.',
        'It has recordings to learn from: people who drive well from afar but never dock, people '
        'who dock but start beside the plate (well, hesitantly, or driving past it first), people '
        'who wander, and one who does not look. Whoever copies them copies their mixture; the '
        'way from anywhere onto the plate has to be put together from pieces, by what paid off. '
        'That is what Implicit Q-Learning does.'),
    other_is='drives and turns slower than commanded, pulls to one side and acts a tick late',
    paths_show='Paths seen from above; the green disc is the plate, a dot is where a drive began. '
    'Left: the recordings, driving from afar (blue), docking (green), wandering (ochre), blind '
    '(grey).',
    colours={'approach': '#1f5fa8', 'dock': '#2c8a4b', 'wander': '#b8860b', 'blind': '#8b929c'},
    where=lambda observations: observations[..., :2], draw=_draw)

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

"""The demo of the arm that puts a block down on a tray."""

from iql_ros.demo.scene import Scene

_TRAY, _TABLE = 0.065, -0.008        # [m] its radius, and how far the table lies below its top


def _draw(ax) -> None:
    ax.axhspan(-0.05, _TABLE, color='#e4e8ec', zorder=0)
    ax.plot([-_TRAY, _TRAY], [-0.003, -0.003], color='#2c8a4b', linewidth=4,
            solid_capstyle='butt', zorder=3)
    ax.set(xlim=(-0.75, 0.25), ylim=(-0.05, 0.47), aspect='equal', xticks=[-0.6, -0.3, 0.0],
           yticks=[0.0, 0.2, 0.4], xlabel='y [m]')


ARM = Scene(
    name='arm', environment='iql_ros/Arm-v0', rate=10.0,
    other='iql_ros/ArmReal-v0',
    dataset='arm/sample-v0', done='placed', does='places the block',
    starts='starts all over the table',
    title='An arm learns to put a block down from recordings of which none shows it how',
    asked=(
        'A six-joint arm holds a block and is to put it down within 5 cm of the middle of a tray '
        'and to let it go, from wherever above the table it starts, in 10 s. Every tick of 0.1 s '
        'until then costs 1. It sees where the block is in the frame of the tray '
        'and how its joints and fingers stand, and commands positions: of its joints on the '
        'topic of a joint_trajectory_controller, of its fingers on that of a '
        'forward_command_controller.',
        'It has recordings to learn from: people who carry the block well to above the tray and '
        'off again, people who put it down but start above the tray (well, hesitantly, or letting '
        'go too early), people who wander, and one who does not look. Whoever copies them copies '
        'their mixture; the way from anywhere onto the tray has to be put together from pieces, '
        'by what paid off. That is what Implicit Q-Learning does.'),
    other_is='carries 2 kg at its hand and has a first joint that is 0.12 rad from where it says',
    paths_show='Paths of the block, seen from the front; the green bar is the tray, a dot is '
    'where an episode began. Left: the recordings, carrying (blue), putting down (green), '
    'wandering (ochre), blind (grey).',
    colours={'carry': '#1f5fa8', 'place': '#2c8a4b', 'wander': '#b8860b', 'blind': '#8b929c'},
    where=lambda observations: observations[..., 1:3], draw=_draw,
    aspect=0.62, practice=5_000,
    # more, and it opens its fingers by accident while the block is in the air
    exploration=0.3, films=True)

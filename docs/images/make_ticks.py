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
Draws ticks.png of docs/explanation/ticks-and-transitions.md: python docs/images/make_ticks.py.

Two seconds of a robot at 5 Hz whose scanner falls silent for a while. Which sample a tick takes,
what the actions are and where the episodes end comes from the converter's own code.
"""

from pathlib import Path

import numpy as np

from iql_ros.data.bags.episode_cutter import ACTION, EpisodeCutter, OBSERVATION
from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.order import Sample
from iql_ros.pages import DATA, new_figure, POLICY
from iql_ros.robot.robot_interface import ObservationBuffer, parse_robot_interface
from iql_ros.robot.task import Task

ROBOT = """
robot: example
control_rate: 5.0
observation:
  - {topic: odom, type: nav_msgs/msg/Odometry, max_age: 0.25, fields: [twist.twist.linear.x]}
  - {topic: scan, type: sensor_msgs/msg/LaserScan, max_age: 0.3, fields: [ranges], beams: 1}
action:
  - topic: cmd_vel
    type: geometry_msgs/msg/TwistStamped
    fields: [twist.linear.x]
    low: [-1.0]
    high: [1.0]
    max_age: 0.5
    rule: mean
    gate: {downstream_timeout: 0.5}
task: {reward: -1.0, time_limit: 20.0}
"""
SAMPLES = [[0.03, 0.16, 0.28, 0.41, 0.52, 0.67, 0.78, 0.91, 1.03, 1.17, 1.28, 1.42, 1.53, 1.67,
            1.78, 1.91, 2.02], [0.11, 0.31, 0.52, 1.26, 1.47, 1.66, 1.87]]  # [s] odom, scan
COMMANDS = [(0.05, 0.4), (0.27, 0.4), (0.48, 0.8), (0.69, 0.6), (0.92, 0.2), (1.13, 0.2),
            (1.35, 0.7), (1.52, 0.9), (1.73, 0.5), (1.95, 0.5)]             # [s], m/s
END, TRIP = 2.05, '#b3261e'
ROWS = {'odom': 3.0, 'scan': 2.0, 'cmd_vel': 0.85, 'transitions': 0.0}


def cut_episodes(interface):
    """Return the cutter that has walked the ticks of these two seconds."""
    found = [(time, OBSERVATION, index, np.array([0.0])) for index, times in enumerate(SAMPLES)
             for time in times]
    found += [(time, ACTION, 0, np.array([speed])) for time, speed in COMMANDS]
    samples = [Sample(round(time * 1e9), number, 0, kind, index, value) for number, (
        time, kind, index, value) in enumerate(sorted(found, key=lambda entry: entry[0]))]
    cutter = EpisodeCutter(interface, Task(interface), lambda index, value: value, Allowed(()))
    cutter.cut(samples)
    return cutter


def taken(interface):
    """Yield every tick [s], and of every stream when the sample was made that it takes."""
    buffer = ObservationBuffer(interface)
    for index, times in enumerate(SAMPLES):
        for time in times:
            buffer.push(index, round(time * 1e9), np.zeros(1))
    for tick in range(1, int(END * interface.control_rate) + 1):
        tick_ns = interface.tick_ns(tick)
        whole = buffer.sample(tick_ns) is not None
        ages = [age if age <= stream.max_age_ns else None
                for age, stream in zip(buffer.ages, interface.observation)]
        yield tick_ns * 1e-9, whole, [None if age is None else (tick_ns - age) * 1e-9
                                      for age in ages]


def draw_streams(ax, interface):
    """Draw the samples, the ticks, and which of them a tick takes."""
    for row, times in zip(('odom', 'scan'), SAMPLES):
        ax.plot(times, [ROWS[row]] * len(times), 'o', color=DATA, markersize=4)
    for tick, whole, times in taken(interface):
        colour = POLICY if whole else TRIP
        ax.axvline(tick, color=colour, linewidth=1, alpha=0.5)
        for row, time in zip(('odom', 'scan'), times):
            if time is not None:
                ax.plot([time, tick], [ROWS[row]] * 2, color=colour, linewidth=1.6)
                ax.plot([time], [ROWS[row]], 'o', color=colour, markersize=5)
            else:
                ax.plot([tick], [ROWS[row]], 'x', color=TRIP, markersize=8)
    times, speeds = zip(*COMMANDS)
    ax.step([*times, END], ROWS['cmd_vel'] + 0.7 * np.array([*speeds, speeds[-1]]),
            where='post', color='#1c2733', linewidth=1.4)


def draw_episodes(ax, interface, cutter):
    """Draw every transition with its action, and how its episode ended."""
    period = interface.period_ns * 1e-9
    for episode, end in zip(cutter.episodes, cutter.ends):
        for step, action in enumerate(episode.actions[:, 0]):
            start = end['start'] + step * period
            ax.barh(ROWS['transitions'], period - 0.012, left=start + 0.006, height=0.5,
                    color='#d5e3f3')
            ax.text(start + period / 2, ROWS['transitions'], f'{action:.2f}', ha='center',
                    va='center', fontsize=8.5, color=POLICY)
            ax.plot([start, start + period], [ROWS['cmd_vel'] + 0.7 * action] * 2, color=POLICY,
                    linewidth=1, linestyle=':')
        last = end['start'] + end['steps'] * period
        ax.text(last, -0.5, f"truncated: {end['ended']}", ha='right', va='center', fontsize=8.5,
                color='#4a5562', bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 1.5})


def draw():
    """Return the figure and the episodes' ends."""
    interface = parse_robot_interface(ROBOT, 'example')
    cutter = cut_episodes(interface)
    figure, ax = new_figure(height=3.6)
    ax.grid(visible=False)
    draw_streams(ax, interface)
    draw_episodes(ax, interface, cutter)
    heights = {**ROWS, 'cmd_vel': ROWS['cmd_vel'] + 0.35}
    ax.set_yticks(list(heights.values()), list(heights), fontsize=10)
    ax.set_xticks(np.arange(0, END, 0.2))
    ax.set_xlim(0, END + 0.01)
    ax.set_ylim(-0.8, 3.4)
    ax.set_xlabel('time [s]; ticks every 0.2 s', fontsize=9, color='#4a5562')
    return figure, cutter.ends, dict(cutter.dropped)


if __name__ == '__main__':
    drawn, ends, dropped = draw()
    drawn.savefig(Path(__file__).with_name('ticks.png'), dpi=170)
    print(ends, dropped)

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
Write layouts in which PlotJuggler and Foxglove show what a policy sees: one plot a stream.

    python share/make_layouts.py config/robots/diffbot.yaml --node /sim/policy_node

PlotJuggler reads them by File > Layout, `plotjuggler --layout FILE`; it asks whether to start the
ROS 2 subscriber, with the topics chosen. Foxglove: Layouts > Import from file.
"""

import argparse
import json
from pathlib import Path
from xml.etree import ElementTree

from iql_ros.robot.robot_interface import load_robot_interface

KINDS = ('raw', 'gated', 'sent')     # of an action; clipped stands in a plot of its own
# Okabe and Ito's, which people who see colours otherwise tell apart
COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000')
STREAMER = 'ROS2 Topic Subscriber'   # PlotJuggler's plugin, by its name
_SECONDS = 30                        # that are looked at


def plots(interface, node: str) -> list[tuple[str, str, list[tuple[int, str]]]]:
    """Return title, topic and what is drawn, (index in the message, name), of every plot."""
    found, first = [], 0
    names, actions = interface.observation_names, interface.action_names
    for stream in {name.partition(' ')[0]: None for name in names}:
        rows = [(index, name) for index, name in enumerate(names)
                if name.partition(' ')[0] == stream]
        found.append((stream, f'{node}/debug/observation', rows))
    for action in actions:
        found.append((action, f'{node}/debug/action', [
            (first + index, f'{action}/{kind}') for index, kind in enumerate(KINDS)]))
        first += len(KINDS) + 1
    found.append(('clipped', f'{node}/debug/action', [
        ((len(KINDS) + 1) * index + len(KINDS), f'{action}/clipped')
        for index, action in enumerate(actions)]))
    return found


def plotjuggler(interface, node: str) -> str:
    """Return the layout in PlotJuggler's XML."""
    root = ElementTree.Element('root')
    window = ElementTree.SubElement(root, 'tabbed_widget', name='Main Window',
                                    parent='main_window')
    tab = ElementTree.SubElement(window, 'Tab', tab_name='policy', containers='1')
    drawn = plots(interface, node)
    splitter = ElementTree.SubElement(
        ElementTree.SubElement(tab, 'Container'), 'DockSplitter', orientation='-',
        count=str(len(drawn)), sizes=';'.join(f'{1 / len(drawn):.6f}' for _ in drawn))
    for title, topic, rows in drawn:
        plot = ElementTree.SubElement(
            ElementTree.SubElement(splitter, 'DockArea', name=title), 'plot', mode='TimeSeries',
            style='Steps', flip_x='false', flip_y='false', line_width='1.5')
        ElementTree.SubElement(plot, 'limitY')
        for number, (_, name) in enumerate(rows):
            ElementTree.SubElement(plot, 'curve', name=f'{topic}/{name}/position',
                                   color=COLOURS[number % len(COLOURS)])
    ElementTree.SubElement(window, 'currentTabIndex', index='0')
    ElementTree.SubElement(root, 'use_relative_time_offset', enabled='1')
    ElementTree.SubElement(root, 'streaming_buffer_size', value=str(_SECONDS))
    _add_streamer(root, sorted({topic for _, topic, _ in drawn}))
    ElementTree.indent(root, ' ')
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_text(root)}\n'


def _add_streamer(root, topics) -> None:
    plugins = ElementTree.SubElement(root, 'Plugins')
    plugin = ElementTree.SubElement(plugins, 'plugin', ID=STREAMER)
    for key, value in (('use_header_stamp', 'true'), ('discard_large_arrays', 'true'),
                       ('max_array_size', '100'), ('boolean_strings_to_number', 'false'),
                       ('remove_suffix_from_strings', 'false'),
                       ('selected_topics', ';'.join(topics))):
        ElementTree.SubElement(plugin, key, value=value)
    ElementTree.SubElement(root, 'previouslyLoaded_Streamer', name=STREAMER)


def _text(root) -> str:
    return ElementTree.tostring(root, encoding='unicode')


def foxglove(interface, node: str) -> str:
    """Return the layout in Foxglove's JSON, with the markers in a 3D panel."""
    drawn = plots(interface, node)
    panels = {f'Plot!policy{number}': _foxglove_plot(*each) for number, each in enumerate(drawn)}
    column = _stacked(list(panels))
    panels['3D!policy'] = {'topics': {f'{node}/debug/markers': {'visible': True}}}
    return json.dumps({
        'configById': panels, 'globalVariables': {}, 'userNodes': {},
        'playbackConfig': {'speed': 1},
        'layout': {'direction': 'row', 'first': '3D!policy', 'second': column,
                   'splitPercentage': 40}}, indent=1) + '\n'


def _foxglove_plot(title: str, topic: str, rows) -> dict:
    paths = [{'value': f'{topic}.position[{index}]', 'label': name, 'enabled': True,
              'timestampMethod': 'headerStamp', 'color': COLOURS[number % len(COLOURS)]}
             for number, (index, name) in enumerate(rows)]
    return {'foxglovePanelTitle': title, 'paths': paths, 'showXAxisLabels': True,
            'showYAxisLabels': True, 'showLegend': True, 'legendDisplay': 'floating',
            'showPlotValuesInLegend': True, 'isSynced': True, 'xAxisVal': 'timestamp',
            'sidebarDimension': 240, 'followingViewWidth': _SECONDS}


def _stacked(names: list[str]):
    """Return panels one below the other, all as high."""
    if len(names) == 1:
        return names[0]
    return {'direction': 'column', 'first': names[0], 'second': _stacked(names[1:]),
            'splitPercentage': 100 / len(names)}


WRITERS = {'plotjuggler.xml': plotjuggler, 'foxglove.json': foxglove}


def main(argv=None) -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('robot_config', type=Path, help='YAML of the robot')
    parser.add_argument('--node', default='/policy_node', help='full name of the policy node')
    parser.add_argument('--output', type=Path, default=Path(__file__).parent / 'layouts',
                        help='folder')
    arguments = parser.parse_args(argv)
    interface = load_robot_interface(arguments.robot_config)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, write in WRITERS.items():
        (arguments.output / name).write_text(write(interface, arguments.node.rstrip('/')))


if __name__ == '__main__':
    main()

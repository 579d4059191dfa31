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

"""Checks of ROS: which one is found, by what it talks, and whom it can hear."""

import importlib.metadata
import os
from pathlib import Path
import platform
import re
import sys

from iql_ros.cli.doctor.finding import broken, Finding, missing, ok
from iql_ros.cli.doctor.probing import probe

MESSAGES = ('builtin_interfaces', 'diagnostic_msgs', 'geometry_msgs', 'lifecycle_msgs',
            'nav_msgs', 'rcl_interfaces', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs', 'std_srvs',
            'trajectory_msgs', 'visualization_msgs')
RANGES = ('SUBNET', 'LOCALHOST', 'OFF', 'SYSTEM_DEFAULT')
_WHEEL = re.compile(r'ros-([a-z]+)-rclpy')
_OLDEST = 7          # major version of rclpy in Jazzy
_DOMAINS = 232       # the highest whose ports exist


def check_ros() -> Finding:
    places = _places()
    if not places:
        return missing('ros', 'none is found; training and evaluating need none',
                       "source ROS 2 Jazzy's setup.bash, or pip install 'iql_ros[wheels]'")
    wheel = _wheel(places[0])
    if wheel:                        # whose libraries must not meet those of a sourced ROS
        places += [folder for folder in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
                   if folder and (Path(folder) / 'share' / 'rclpy').is_dir()]
    if len(places) > 1:
        return broken('ros', f'there are two: {" and ".join(places)}',
                      'keep one of them: a shell that has sourced no setup.bash, or an '
                      'environment without the wheels', places=places)
    distribution = wheel or os.environ.get('ROS_DISTRO')
    facts = {'distribution': distribution, 'wheels': wheel is not None, 'place': places[0],
             **probe('ros', *MESSAGES)}
    return judge_ros(facts, os.environ.get('RMW_IMPLEMENTATION'))


def judge_ros(facts: dict, chosen: str | None) -> Finding:
    """Return the finding of one ROS; `chosen` is the RMW that the environment asks for."""
    name = (f'{facts["distribution"] or "unnamed"} from '
            f'{"wheels" if facts["wheels"] else facts["place"]}')
    if 'version' in facts:
        name += f' (rclpy {facts["version"]})'
        major = facts['version'].partition('.')[0]
        if major.isdecimal() and int(major) < _OLDEST:
            return missing('ros', f'{name} is too old for the nodes', 'they need Jazzy or newer',
                           **facts)
    if 'error' in facts:
        cure = (f'unset RMW_IMPLEMENTATION, or install {chosen}' if chosen else
                f'use the Python that this ROS was built for (this is '
                f'{platform.python_version()}), or a shell that has not sourced it')
        return broken('ros', f'{name} does not work: {facts["error"]}', cure, **facts)
    if facts['missing']:
        packages = ' '.join(f'ros-{facts["distribution"] or "DISTRO"}-{name.replace("_", "-")}'
                            for name in facts['missing'])
        return broken('ros', f'{name} has no {", ".join(facts["missing"])}',
                      f'apt install {packages}', **facts)
    origin = 'RMW_IMPLEMENTATION' if chosen else 'its default'
    return ok('ros', f'{name}, {facts["rmw"]} ({origin})', **facts)


def _places() -> list[str]:
    """Return the folders of the module path that hold an rclpy."""
    found = {}
    for folder in sys.path:
        package = Path(folder or '.') / 'rclpy' / '__init__.py'
        if package.is_file():
            found.setdefault(package.resolve(), str(folder))
    return list(found.values())


def _wheel(place: str) -> str | None:
    """Return the distribution whose wheels lie there, None for a ROS of another kind."""
    for wheel in importlib.metadata.distributions(path=[place]):
        match = _WHEEL.fullmatch(str(wheel.metadata['Name']))
        if match:
            return match[1]
    return None


def check_discovery() -> Finding:
    domain = os.environ.get('ROS_DOMAIN_ID') or '0'
    reach = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE') or 'SUBNET'
    if os.environ.get('ROS_LOCALHOST_ONLY') == '1':  # of older distributions; it still wins
        reach = 'LOCALHOST'
    facts = {'domain': int(domain) if domain.isdecimal() else None, 'range': reach}
    if facts['domain'] is None or facts['domain'] > _DOMAINS:
        return broken('discovery', f'ROS_DOMAIN_ID is {domain}',
                      f'export a whole number from 0 to {_DOMAINS}', **facts)
    if reach not in RANGES:
        return broken('discovery', f'ROS_AUTOMATIC_DISCOVERY_RANGE is {reach}',
                      f'export one of {", ".join(RANGES)}', **facts)
    text = f'domain {domain}, range {reach}'
    if reach == 'OFF':
        return missing('discovery', f'{text}: no node finds another',
                       'export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST or SUBNET', **facts)
    hears = "this machine's nodes" if reach == 'LOCALHOST' else "also other machines' nodes"
    return ok('discovery', f'{text}: {hears} of this domain are heard', **facts)

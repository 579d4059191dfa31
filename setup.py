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

"""Build iql_ros, for pip and for colcon."""

import os

from setuptools import find_packages, setup

package_name = 'iql_ros'

# What the nodes and launch files read at run time; each keeps its name under share/iql_ros.
SHARED_FOLDERS = ('benchmarks', 'config', 'launch', 'share', 'sim')

EXTRAS = {
    'data': ['minari[hdf5]>=0.5.3', 'h5py>=3.8', 'rosbags>=0.11'],
    'sim': ['gymnasium[mujoco]>=1.0'],
    'ray': ['ray>=2.9'],   # for --on ray alone: sweeps and conversions over machines
    'report': ['tensorboard>=2.15', 'tqdm>=4.65', 'matplotlib>=3.8'],
    # ROS 2 Jazzy from PyPI (x86-64); a machine with ROS installed must not have these as well
    'wheels': ['ros-jazzy-rclpy', 'ros-jazzy-rmw-fastrtps-cpp', 'ros-jazzy-common-interfaces'],
    'docs': ['sphinx>=8', 'myst-parser>=4', 'sphinx-rtd-theme>=3', 'sphinx-mathjax-offline'],
    # an extra of this name that holds pytest is what `colcon test` asks for
    'test': ['pytest>=8', 'pytest-xdist>=3.5', 'hypothesis>=6.100', 'gymnasium-robotics>=1.3'],
    'dev': [
        'flake8>=7', 'flake8-docstrings', 'flake8-import-order', 'flake8-quotes', 'vermin>=1.9',
        'colcon-common-extensions',
    ],
}
EXTRAS['all'] = sorted({requirement for extra in EXTRAS.values() for requirement in extra})


def shared_files():
    """Return data_files entries for every file of the shared folders."""
    entries = []
    for top in SHARED_FOLDERS:
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if name[0] not in '._')
            paths = [os.path.join(folder, name) for name in sorted(names) if name[0] != '.']
            if paths:
                entries.append((os.path.join('share', package_name, folder), paths))
    return entries


setup(
    name=package_name,
    version='0.1.0',
    description='Learns robot controllers from recordings with Implicit Q-Learning, for ROS 2.',
    license='Apache-2.0',
    maintainer='iql_ros maintainers',
    maintainer_email='iql-ros@example.com',
    python_requires='>=3.10',
    packages=find_packages(include=[package_name, f'{package_name}.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
        *shared_files(),
    ],
    install_requires=['numpy>=1.26', 'pyyaml>=6', 'torch>=2.4', 'safetensors>=0.4.3'],
    extras_require=EXTRAS,
    entry_points={
        'console_scripts': [
            'iql-ros = iql_ros.cli.cli:main',
            'finetune_node = iql_ros.nodes:run_finetune_node',
            'policy_node = iql_ros.nodes:run_policy_node',
            'sim_node = iql_ros.nodes:run_sim_node',
            'train_node = iql_ros.nodes:run_train_node',
        ],
    },
    zip_safe=True,
)

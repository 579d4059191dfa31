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

"""Drive a robot by a checkpoint: the shipped one in simulation, unless told otherwise."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory('iql_ros'))
ARGUMENTS = {
    'robot': ('sim', 'sim | real: only real sends commands to topics outside `sim`'),
    'namespace': ('', 'of a real robot, where there are several'),
    'checkpoint': ('', 'of a training run; real: must be given, sim: the shipped one by default'),
    'robot_config': ('', 'robot interface YAML; real: must be given, sim: diffbot by default'),
    'learner': ('', 'finetune_node that it explores for; empty: as in params_file'),
    'device': ('', 'auto | cpu | cuda; empty: as in params_file'),
    'env': ('', 'Gymnasium id of the simulated robot; empty: env_id of params_file'),
    'lockstep': ('false', 'true: simulate as fast as the machine allows'),
    'record': ('', 'true | false: bags of it in record_folder; empty: as in params_file'),
    'params_file': (str(SHARE / 'config' / 'nodes.yaml'), 'parameters of the nodes'),
}
SAMPLE = {'robot_config': 'config/robots/diffbot.yaml', 'checkpoint': 'share/diffbot.safetensors'}
VALUES = {'robot': ['sim', 'real'], 'lockstep': ['true', 'false'], 'record': ['', 'true', 'false']}
READ = {**dict.fromkeys((*SAMPLE, 'learner', 'device'),
                        lambda text: ParameterValue(text, value_type=str)),
        'record': lambda text: text == 'true'}


def start(context):
    """Return the policy node, which a person starts on a robot, and in simulation the robot."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    sim, lockstep = given['robot'] == 'sim', given['lockstep'] == 'true'
    for name, path in SAMPLE.items():
        if not sim and not given[name]:
            raise RuntimeError(f"robot:=real needs {name}:=FILE, this robot's own")
        given[name] = given[name] or str(SHARE / path)
    values = {name: read(given[name]) for name, read in READ.items() if given[name]}
    if sim and given['learner']:
        values['evaluate_every'] = 0  # there the learner evaluates by itself
    values.update(autostart=sim, use_sim_time=sim and not lockstep, lockstep=sim and lockstep)
    policy = Node(
        package='iql_ros', executable='policy_node', name='policy_node', output='screen',
        namespace='sim' if sim else given['namespace'],
        remappings=[('/clock', 'clock'), ('/diagnostics', 'diagnostics')] if sim else [],
        parameters=[given['params_file'], values], on_exit=Shutdown(reason='policy_node ends'))
    handed = [(name, given[name]) for name in ('robot_config', 'env', 'lockstep', 'params_file')]
    simulator = IncludeLaunchDescription(  # two bags would count a run twice
        str(SHARE / 'launch/sim.launch.py'), launch_arguments=[*handed, ('record', 'false')])
    return [simulator, policy] if sim else [policy]


def generate_launch_description():
    """Declare the arguments."""
    return LaunchDescription([*(
        DeclareLaunchArgument(key, default_value=value, description=text, choices=VALUES.get(key))
        for key, (value, text) in ARGUMENTS.items()), OpaqueFunction(function=start)])

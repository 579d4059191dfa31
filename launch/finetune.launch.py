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

"""Go on learning while a policy drives: the shipped one in simulation, unless told otherwise."""

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory('iql_ros')
ARGUMENTS = {
    'robot': ('sim', 'only real sends commands to topics outside `sim`', 'sim', 'real'),
    'namespace': ('', 'where there are several: of a real robot, or to put `sim` into'),
    'checkpoint': ('', 'to begin with; real: must be given, sim: the shipped one by default'),
    'dataset': ('', "offline data, Minari id or folder; empty: the checkpoint's own"),
    'robot_config': ('', 'robot interface YAML; real: must be given, sim: diffbot by default'),
    'run': ('', '$IQL_RUNS/RUN, which goes on when it is there; real: must be given'),
    'steps': ('', 'transitions to learn from; empty: as in params_file'),
    'device': ('', 'auto | cpu | cuda; empty: as in params_file'),
    'env': ('iql_ros/DiffbotReal-v0', 'Gymnasium id of the simulated robot'),
    'lockstep': ('true', 'as fast as the learner keeps up; false: in real time', 'true', 'false'),
    'record': ('', 'bags of it in record_folder; empty: as in params_file', '', 'true', 'false'),
    'log_level': ('info', 'of what the nodes say', 'debug', 'info', 'warn', 'error', 'fatal'),
    'params_file': (f'{SHARE}/config/nodes.yaml', 'parameters of the nodes'),
}
SAMPLE = {'checkpoint': 'share/diffbot.safetensors', 'robot_config': 'config/robots/diffbot.yaml'}
READ = {**dict.fromkeys((*SAMPLE, 'dataset', 'bag', 'run', 'device'),
                        lambda text: ParameterValue(text, value_type=str)), 'steps': int}


def start(context):
    """Return the learner, and the policy node with its robot as deploy.launch.py has them."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    sim = given['robot'] == 'sim'
    if not sim and not given['run']:
        raise RuntimeError('robot:=real needs run:=NAME: it goes on from one day to the next')
    handed = [*given.items(), ('learner', 'finetune_node')]
    sample = sim and not given['checkpoint'] and not given['dataset']
    given['bag'] = f'{SHARE}/share/diffbot_recording' if sample else ''
    given.update({name: given[name] or f'{SHARE}/{path}' for name, path in SAMPLE.items()})
    parameters = {name: read(given[name]) for name, read in READ.items() if given[name]}
    parameters.update({'environment': given['env']} if sim else {'guard': True})
    full_name = (given['namespace'] + '/sim' * sim + '/finetune_node').strip('/')
    learner = Node(
        package='iql_ros', executable='finetune_node', name='finetune_node', output='screen',
        additional_env={'IQL_ROS_END_WITH_PARENT': '1'},  # launch may be killed
        namespace=full_name.rpartition('/')[0], parameters=[given['params_file'], parameters],
        ros_arguments=['--log-level', f"{full_name.replace('/', '.')}:={given['log_level']}"],
        remappings=[('/clock', 'clock'), ('/diagnostics', 'diagnostics')] if sim else [],
        on_exit=Shutdown(reason='finetune_node ended'), sigterm_timeout='120')  # [s] to save
    drive = IncludeLaunchDescription(f'{SHARE}/launch/deploy.launch.py', launch_arguments=handed)
    return [drive, learner]  # in this order: it refuses first, and the simulator is not heard


def generate_launch_description():
    """Declare the arguments."""
    return LaunchDescription([*(
        DeclareLaunchArgument(key, default_value=value, description=text, choices=choices or None)
        for key, (value, text, *choices) in ARGUMENTS.items()), OpaqueFunction(function=start)])

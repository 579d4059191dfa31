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

"""Train on a dataset or on recordings; without arguments on the sample recording."""

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory('iql_ros')
ARGUMENTS = {
    'dataset': ('', 'Minari dataset, by id or folder'),
    'bag': ('', 'recording to convert and train on, instead of a dataset; needs robot_config'),
    'config': (f'{SHARE}/config/iql/robot.yaml', 'settings of the learner, YAML'),
    'robot_config': ('', 'robot interface YAML'),
    'name': ('', 'of the run, which lands in $IQL_RUNS/NAME; empty: made up'),
    'updates': ('', 'how many; empty: as in params_file'),
    'resume': ('', 'go on where the run stopped; empty: as in params_file', '', 'true', 'false'),
    'log_level': ('info', 'of what the node says', 'debug', 'info', 'warn', 'error', 'fatal'),
    'params_file': (f'{SHARE}/config/nodes.yaml', 'parameters of the node'),
}
READ = {'updates': int, 'resume': lambda text: text == 'true'}  # the others are texts


def start(context):
    """Return the training node, on the sample when no data is named."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    parameters_file, level = given.pop('params_file'), given.pop('log_level')
    sample = not given['dataset'] and not given['bag']
    if sample:
        given['bag'] = f'{SHARE}/share/diffbot_recording'
        given['robot_config'] = (
            given['robot_config'] or f'{SHARE}/config/robots/diffbot.yaml')
    parameters = {name: READ[name](value) if name in READ else
                  ParameterValue(value, value_type=str) for name, value in given.items() if value}
    quiet = SetEnvironmentVariable('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    node = Node(
        package='iql_ros', executable='train_node', name='train_node',
        ros_arguments=['--log-level', f'train_node:={level}'],
        parameters=[parameters_file, parameters], output='screen',
        additional_env={'IQL_ROS_END_WITH_PARENT': '1'},  # launch may be killed
        emulate_tty=True,
        sigterm_timeout='120')  # [s] it may take to end an evaluation, save and write the report
    return [quiet, node] if sample else [node]


def generate_launch_description():
    """Declare the arguments."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description,
                              choices=choices or None)
        for name, (default, description, *choices) in ARGUMENTS.items()]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])

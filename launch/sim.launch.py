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

"""Run a simulated robot behind the topics of its robot interface, in the namespace `sim`."""

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable, Shutdown)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory('iql_ros')
ARGUMENTS = {
    'robot_config': (f'{SHARE}/config/robots/diffbot.yaml',
                     'robot interface YAML: the topics to serve'),
    'env': ('', 'Gymnasium id of the robot; empty: env_id of params_file'),
    'namespace': ('', 'where there are several: to put `sim` into'),
    'lockstep': ('false', 'a step a command, as fast as the machine allows', 'true', 'false'),
    'record': ('', 'bags of it in record_folder; empty: as in params_file', '', 'true', 'false'),
    'log_level': ('info', 'of what the node says', 'debug', 'info', 'warn', 'error', 'fatal'),
    'params_file': (f'{SHARE}/config/nodes.yaml', 'parameters of the node'),
}


def start(context):
    """Return the simulator, which nothing outside this machine or its namespace can hear."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    parameters = {'lockstep': given['lockstep'] == 'true'}
    if given['robot_config']:
        parameters['robot_config'] = ParameterValue(given['robot_config'], value_type=str)
    if given['env']:
        parameters['env_id'] = ParameterValue(given['env'], value_type=str)
    if given['record']:
        parameters['record'] = given['record'] == 'true'
    full_name = f"{given['namespace']}/sim/sim_node".strip('/')
    return [
        SetEnvironmentVariable('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST'),
        Node(
            package='iql_ros', executable='sim_node', name='sim_node',
            namespace=full_name.rpartition('/')[0],
            ros_arguments=['--log-level', f"{full_name.replace('/', '.')}:={given['log_level']}"],
            parameters=[given['params_file'], parameters],
            remappings=[('/clock', 'clock'), ('/diagnostics', 'diagnostics')],
            output='screen',
            additional_env={'IQL_ROS_END_WITH_PARENT': '1'},  # launch may be killed
            on_exit=Shutdown(reason='sim_node ended')),
    ]


def generate_launch_description():
    """Declare the arguments."""
    return LaunchDescription([*(
        DeclareLaunchArgument(key, default_value=value, description=text, choices=choices or None)
        for key, (value, text, *choices) in ARGUMENTS.items()), OpaqueFunction(function=start)])

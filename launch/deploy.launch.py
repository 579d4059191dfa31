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

from ament_index_python.packages import get_package_share_directory
from launch import actions, LaunchDescription
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory('iql_ros')
ARGUMENTS = {
    'robot': ('sim', 'only real sends commands to topics outside `sim`', 'sim', 'real'),
    'namespace': ('', 'where there are several: of a real robot, or to put `sim` into'),
    'checkpoint': ('', 'of a training run; real: must be given, sim: the shipped one by default'),
    'robot_config': ('', 'robot interface YAML; real: must be given, sim: diffbot by default'),
    'learner': ('', 'finetune_node that it explores for; empty: as in params_file'),
    'device': ('', 'auto | cpu | cuda; empty: as in params_file'),
    'env': ('', 'Gymnasium id of the simulated robot; empty: env_id of params_file'),
    'lockstep': ('false', 'true: simulate as fast as the machine allows', 'true', 'false'),
    'record': ('', 'bags of it in record_folder; empty: as in params_file', '', 'true', 'false'),
    'shadow': ('', 'true: send nothing, look on; empty: as in params_file', '', 'true', 'false'),
    'limit_scale': ('', 'of limits and rates, for first drives; empty: as in params_file'),
    'enable_timeout': ('', 'somebody must hold ~/enable; empty: as in params_file'),
    'log_level': ('info', 'of what the nodes say', 'debug', 'info', 'warn', 'error', 'fatal'),
    'params_file': (f'{SHARE}/config/nodes.yaml', 'parameters of the nodes'),
}
SAMPLE = {'robot_config': 'config/robots/diffbot.yaml', 'checkpoint': 'share/diffbot.safetensors'}
READ = {**dict.fromkeys(('record', 'shadow'), 'true'.__eq__),
        **dict.fromkeys(('limit_scale', 'enable_timeout'), float), **dict.fromkeys(
            (*SAMPLE, 'learner', 'device'), lambda text: ParameterValue(text, value_type=str))}


def start(context):
    """Return the policy node, which ends if launch is killed, and in simulation the robot."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    sim, lockstep = given['robot'] == 'sim', given['lockstep'] == 'true'
    for name, path in SAMPLE.items():
        if not sim and not given[name]:
            raise RuntimeError(f"robot:=real needs {name}:=FILE, this robot's own")
        given[name] = given[name] or f'{SHARE}/{path}'
    values = {name: read(given[name]) for name, read in READ.items() if given[name]}
    values.update(autostart=sim, use_sim_time=sim and not lockstep, lockstep=sim and lockstep)
    values.update({'evaluate_every': 0} if sim and given['learner'] else {})  # it does, there
    full_name = (given['namespace'] + '/sim' * sim + '/policy_node').strip('/')
    policy = Node(
        package='iql_ros', executable='policy_node', name='policy_node', output='screen',
        additional_env={'IQL_ROS_END_WITH_PARENT': '1'}, namespace=full_name.rpartition('/')[0],
        ros_arguments=['--log-level', f"{full_name.replace('/', '.')}:={given['log_level']}"],
        remappings=[('/clock', 'clock'), ('/diagnostics', 'diagnostics')] if sim else [],
        parameters=[given['params_file'], values], on_exit=actions.Shutdown(reason='policy ends'))
    simulator = actions.IncludeLaunchDescription(  # two bags would count a run twice
        f'{SHARE}/launch/sim.launch.py', launch_arguments={**given, 'record': 'false'}.items())
    return [simulator, policy] if sim else [policy]


def generate_launch_description():
    """Declare the arguments."""
    return LaunchDescription([*(actions.DeclareLaunchArgument(
        key, default_value=value, description=text, choices=choices or None)
        for key, (value, text, *choices) in ARGUMENTS.items()),
        actions.OpaqueFunction(function=start)])

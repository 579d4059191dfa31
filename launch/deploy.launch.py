"""Drive a robot by a checkpoint: the shipped one in simulation, unless told otherwise."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory('iql_ros'))
ARGUMENTS = {
    'robot': ('sim', 'sim | real: only real sends commands to topics outside `sim`'),
    'checkpoint': ('', 'of a training run; real: must be given, sim: the shipped one by default'),
    'robot_config': ('', 'robot interface YAML; real: must be given, sim: diffbot by default'),
    'device': ('', 'auto | cpu | cuda; empty: as in params_file'),
    'env': ('', 'Gymnasium id of the simulated robot; empty: env_id of params_file'),
    'lockstep': ('false', 'true: simulate as fast as the machine allows'),
    'record': ('', 'true | false: bags of it in record_folder; empty: as in params_file'),
    'params_file': (str(SHARE / 'config' / 'nodes.yaml'), 'parameters of the nodes'),
}
SAMPLE = {'robot_config': 'config/robots/diffbot.yaml', 'checkpoint': 'share/diffbot.safetensors'}
VALUES = {'robot': ['sim', 'real'], 'lockstep': ['true', 'false'], 'record': ['', 'true', 'false']}


def start(context):
    """Return the policy node and, in simulation, its robot."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    simulated = given['robot'] == 'sim'
    for name, path in SAMPLE.items():
        if not simulated and not given[name]:
            raise RuntimeError(f"robot:=real needs {name}:=FILE, this robot's own")
        given[name] = given[name] or str(SHARE / path)
    parameters = {name: ParameterValue(given[name], value_type=str)
                  for name in ('checkpoint', 'robot_config', 'device') if given[name]}
    if given['record']:
        parameters['record'] = given['record'] == 'true'
    parameters.update(autostart=simulated, use_sim_time=simulated,  # a person starts a robot
                      lockstep=simulated and given['lockstep'] == 'true')
    policy = Node(
        package='iql_ros', executable='policy_node', name='policy_node',
        namespace='sim' if simulated else '', parameters=[given['params_file'], parameters],
        remappings=[('/clock', 'clock'), ('/diagnostics', 'diagnostics')] if simulated else [],
        output='screen', on_exit=Shutdown(reason='policy_node ended'))
    handed = [(name, given[name]) for name in ('robot_config', 'env', 'lockstep', 'params_file')]
    simulator = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / 'launch' / 'sim.launch.py')),
        launch_arguments=[*handed, ('record', 'false')])  # two bags would count a run twice
    return [simulator, policy] if simulated else [policy]


def generate_launch_description():
    """Declare the arguments."""
    return LaunchDescription([*(
        DeclareLaunchArgument(name, default_value=default, description=description,
                              choices=VALUES.get(name))
        for name, (default, description) in ARGUMENTS.items()), OpaqueFunction(function=start)])

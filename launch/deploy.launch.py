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
    'params_file': (str(SHARE / 'config' / 'nodes.yaml'), 'parameters of the nodes'),
}
SAMPLE = {'robot_config': str(SHARE / 'config' / 'robots' / 'diffbot.yaml'),
          'checkpoint': str(SHARE / 'share' / 'diffbot.safetensors')}
CHOICES = {'robot': ['sim', 'real'], 'lockstep': ['true', 'false']}


def start(context):
    """Return the policy node and, in simulation, its robot."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    simulated = given['robot'] == 'sim'
    for name, path in SAMPLE.items():
        if not simulated and not given[name]:
            raise RuntimeError(f"robot:=real needs {name}:=FILE, this robot's own")
        given[name] = given[name] or path
    parameters = {name: ParameterValue(given[name], value_type=str)
                  for name in ('checkpoint', 'robot_config', 'device') if given[name]}
    parameters['autostart'] = simulated  # on a robot, a person configures and activates
    parameters['lockstep'] = simulated and given['lockstep'] == 'true'
    parameters['use_sim_time'] = simulated
    policy = Node(
        package='iql_ros', executable='policy_node', name='policy_node',
        namespace='sim' if simulated else '',
        parameters=[given['params_file'], parameters],
        remappings=[('/clock', 'clock'), ('/diagnostics', 'diagnostics')] if simulated else [],
        output='screen', on_exit=Shutdown(reason='policy_node ended'))
    simulator = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / 'launch' / 'sim.launch.py')), launch_arguments=[
            (name, given[name]) for name in ('robot_config', 'env', 'lockstep', 'params_file')])
    return [simulator, policy] if simulated else [policy]


def generate_launch_description():
    """Declare the arguments."""
    arguments = [
        DeclareLaunchArgument(
            name, default_value=default, description=description, choices=CHOICES.get(name))
        for name, (default, description) in ARGUMENTS.items()]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])

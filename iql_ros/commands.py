"""What the sub-commands of `iql-ros` that train and run do; cli.py says which there are."""

import dataclasses
import json
from pathlib import Path

from iql_ros.data_commands import checkpoint_file, print_data_notes
from iql_ros.files import (
    check_new_file, InputError, parse_yaml, read_yaml, share_folder, unknown_name)


def train(options) -> None:
    from iql_ros import train as training
    from iql_ros.checkpoint import read_header
    from iql_ros.report import write_run_report
    from iql_ros.run_directory import RunDirectory
    settings, config = training.settings_from_mapping(_settings(options),
                                                      options.config or 'the settings')
    robot_config = None
    if options.robot_config is not None:
        robot_config = _load_robot(options.robot_config).text
    latest = RunDirectory(settings.name).latest() if options.resume else None
    if latest and not robot_config:
        robot_config = read_header(latest)['robot_config']
    folder = training.train(settings, config, robot_config=robot_config, resume=options.resume)
    facts = json.loads((folder / 'dataset.json').read_text())
    print_data_notes(facts['clipped'], facts['notes'])
    try:
        print(f'trained: {folder}, report: {write_run_report(folder)}')
    except InputError as error:
        print(f'trained: {folder}, without report.html: {error}')


def _settings(options) -> dict:
    """Return the settings of a run: --config's, or with --resume its own, and the options'."""
    from iql_ros.run_directory import default_name, RunDirectory
    given = {key: value for key, value in (
        ('dataset', options.dataset), ('name', options.name), ('environment', options.env),
        ('action_low', options.action_low), ('action_high', options.action_high),
        ('observation_keys', options.observation_keys)) if value is not None}
    for item in options.set:
        key, equals, value = item.partition('=')
        if not equals:
            raise InputError(f'--set {item}: expected KEY=VALUE')
        given[key] = parse_yaml(f'value: {value}', f'--set {item}')['value']
    settings = {**_read_config(options.config or 'robot'), **given}
    if 'dataset' not in settings and not (options.resume and 'name' in settings):
        raise InputError('--dataset ID is missing (with --resume: or --name NAME)')
    if 'name' not in settings:
        settings['name'] = default_name(settings)
    run = RunDirectory(str(settings['name']))
    if options.resume and not options.config:
        if not (run.path / 'config.yaml').is_file():
            raise InputError(f"run '{run.name}': {run.path} holds no config.yaml, so there is "
                             'nothing to resume')
        return {**read_yaml(run.path / 'config.yaml'), **given}
    return settings


def _read_config(name: str) -> dict:
    """Read a YAML file of settings, or a shipped one by its name."""
    shipped = {path.stem: path for path in (share_folder() / 'config' / 'iql').glob('*.yaml')}
    if name in shipped:
        return read_yaml(shipped[name])
    if not Path(name).exists() and not Path(name).suffix:
        raise unknown_name('config', name, [*sorted(shipped), 'or a YAML file'])
    return read_yaml(name)


def evaluate(options) -> None:
    from iql_ros.checkpoint import load_policy
    from iql_ros.envs import make_env
    from iql_ros.evaluate import evaluate_policy, summary, write_results
    from iql_ros.robot_interface import ActionScaling
    from iql_ros.safety import Gate
    if options.csv is not None:
        check_new_file(options.csv, '--csv')
    policy = load_policy(checkpoint_file(options.checkpoint), options.device)
    data = policy.header['dataset']
    scaling = ActionScaling(data['action_low'], data['action_high'])
    interface = _interface_of(policy, options)
    env = make_env(options.env)
    results = []
    for episode in range(options.episodes):
        result, = evaluate_policy(policy, env, 1, options.seed + episode, scaling,
                                  Gate(interface) if interface else None,
                                  tuple(data['observation_keys']))
        results.append(dataclasses.replace(result, episode=episode))
        outcome = {None: '', True: ', success', False: ', no success'}[result.success]
        print(f'episode {episode}: return {result.return_:.2f}, {result.length} steps{outcome}',
              flush=True)
    env.close()
    figures = summary(results)
    success = f', success {figures["success_rate"]:.0%}' if 'success_rate' in figures else ''
    print(f'{len(results)} episodes: return {figures["return_mean"]:.2f} +- '
          f'{figures["return_std"]:.2f}, length {figures["length_mean"]:.1f}{success}')
    if options.csv:
        write_results(options.csv, results)


def _interface_of(policy, options):
    """Return the interface whose gate applies: the local one once it fits, or the inner."""
    if options.robot_config is None:
        return policy.interface
    interface = _load_robot(options.robot_config)
    policy.check_robot(interface, options.checkpoint)
    return interface


def _load_robot(path: str):
    """Read a robot's YAML, its task checked too, whose functions need not be on this machine."""
    from iql_ros.robot_interface import load_robot_interface
    from iql_ros.task import read_task
    interface = load_robot_interface(path)
    read_task(interface)
    return interface


def benchmark(options) -> None:
    import runpy
    if options.json is not None:
        check_new_file(options.json, '--json')
    script = runpy.run_path(str(share_folder() / 'benchmarks' / 'updates.py'))
    script['main'](['--json', options.json] if options.json else [])


def demo(options) -> None:
    from iql_ros.demo import FULL, run_demo, SMOKE
    run_demo(SMOKE if options.smoke else FULL, options.seed)

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

"""The sub-commands of `iql-ros` and their options."""

import argparse

from iql_ros import __version__
from iql_ros.cli import (
    commands, compare_commands, data_commands, evaluate_commands, replay_commands, sweep_commands)
from iql_ros.cli.parser import count, names, number, Parser, resources, seed, seeds
from iql_ros.data.bags.files import ALLOWANCES
from iql_ros.learner.choice import CHOICES


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command; what it makes has `run`, to be called with it."""
    parser = Parser(prog='iql-ros', description='Learn robot controllers from recordings.')
    parser.add_argument('--version', action='version', version=f'iql_ros {__version__}')
    subparsers = parser.add_subparsers(metavar='COMMAND', required=True)
    for add in (_add_convert, _add_inspect, _add_train, _add_sweep, _add_finetune,
                _add_evaluate, _add_compare, _add_replay, _add_benchmark, _add_doctor, _add_demo):
        add(subparsers)
    return parser


def _add_command(subparsers, name: str, run, summary: str, example: str):
    """Add a sub-command; `run` takes the parsed options."""
    parser = subparsers.add_parser(
        name, help=summary, description=summary, epilog=f'example:\n  {example}',
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(run=run, as_json=False, begin_or_resume=False, on='here', jobs=None,
                        address=None, resources=None)
    return parser


def _add_json_option(parser) -> None:
    parser.add_argument('--json', action='store_true', dest='as_json',
                        help='print one JSON document instead; progress and notes go to stderr')


def _add_range_options(parser) -> None:
    for name, which in (('low', '-1'), ('high', '+1')):
        parser.add_argument(
            f'--action-{name}', type=number, nargs='+', metavar='VALUE',
            help=f'what {which} of the policy means, physical units: one value, or one an action')


def _add_allow_option(parser) -> None:
    parser.add_argument('--allow', action='append', default=[], choices=ALLOWANCES,
                        metavar='NAME', help='go on where a bag is refused; may be repeated: '
                        + '; '.join(f'{name} ({text})' for name, text in ALLOWANCES.items()))


def _add_types_option(parser) -> None:
    parser.add_argument('--types', action='append', default=[], metavar='FOLDER',
                        help='where the .msg files are of types that a bag does not define (older '
                             'db3), as the src of a workspace; may be repeated')


def _add_keys_option(parser) -> None:
    parser.add_argument('--observation-keys', type=names, metavar='KEY,KEY',
                        help='which entries of Dict observations make the vector, in this order')


def _add_convert(subparsers) -> None:
    parser = _add_command(
        subparsers, 'convert', data_commands.convert,
        'Convert bags or a flat HDF5 file to a Minari dataset.',
        'iql-ros convert drive_1 drive_2 --robot-config my_robot.yaml --dataset robot/drive-v0 '
        '--report quality.html\n'
        '  iql-ros convert hopper.hdf5 --env Hopper-v5 --dataset hopper/mixed-v0')
    parser.add_argument('sources', nargs='+', metavar='SOURCE',
                        help='bags (folders or files), or one .hdf5 or .h5 file')
    parser.add_argument('--dataset', required=True, metavar='ID', help='new id, NAME/x-v0')
    parser.add_argument('--update', action='store_true',
                        help='the dataset may be there: read only the bags that are not in it '
                             'yet, and put the whole in its place')
    parser.add_argument('--robot-config', metavar='YAML', help="the robot's interface (bags)")
    parser.add_argument('--namespace', help="prefix of the robot's topics (bags); default: found")
    parser.add_argument('--labels', metavar='CSV',
                        help='episodes as a person saw them: bag,start,end,outcome; seconds from '
                             "the bag's beginning, outcome success, failure or end")
    parser.add_argument('--report', metavar='FILE',
                        help='write the quality report too: .html (a page) or .json')
    parser.add_argument('--jobs', type=count, metavar='N',
                        help='bags read at once by this machine (default: one a core)')
    _add_place_options(parser)
    _add_allow_option(parser)
    _add_types_option(parser)
    parser.add_argument('--env', metavar='ID', help='Gymnasium environment of the recording')
    _add_range_options(parser)


def _add_inspect(subparsers) -> None:
    parser = _add_command(
        subparsers, 'inspect', data_commands.inspect,
        'Say what a bag, a dataset or a checkpoint is.',
        'iql-ros inspect my_bag --report my_bag.html --write-robot my_robot.yaml\n'
        '  iql-ros inspect robot/drive-v0\n'
        '  iql-ros inspect runs/drive-v0_iql')
    parser.add_argument('target', metavar='PATH|ID',
                        help='bag, dataset (id, folder, .hdf5 or .h5 file), checkpoint or run')
    parser.add_argument('--report', metavar='FILE.html', help='write a page with plots (bags)')
    parser.add_argument('--write-robot', metavar='FILE.yaml',
                        help="write a first robot YAML with the bag's streams and commands")
    parser.add_argument('--urdf', metavar='FILE',
                        help="takes the limits in it from the robot's URDF")
    _add_allow_option(parser)
    _add_types_option(parser)
    parser.add_argument('--env', metavar='ID', help='Gymnasium environment (HDF5: action range)')
    _add_range_options(parser)
    _add_keys_option(parser)
    _add_json_option(parser)


def _add_train(subparsers) -> None:
    parser = _add_command(
        subparsers, 'train', commands.train,
        'Train a policy offline; Ctrl-C saves, --resume goes on.',
        'iql-ros train --dataset robot/drive-v0\n'
        '  iql-ros train --dataset hopper.hdf5 --config locomotion --set updates=100000\n'
        '  iql-ros train --dataset robot/drive-v0 --seeds 0-15\n'
        '  iql-ros train --resume --name hopper_iql')
    _add_data_options(parser)
    _add_run_options(parser, 'the dataset and the algorithm')
    parser.add_argument('--begin-or-resume', action='store_true',
                        help='go on where the run stopped, or begin it where there is none')
    _add_seeds_option(parser, 'one run each in the folder NAME, side by side, and one report')


def _add_sweep(subparsers) -> None:
    parser = _add_command(
        subparsers, 'sweep', sweep_commands.sweep,
        'Train with many settings and seeds, side by side; Ctrl-C saves, --resume goes on.',
        'iql-ros sweep --dataset robot/drive-v0 --set expectile=0.7,0.9 --seeds 3\n'
        '  iql-ros sweep --dataset robot/drive-v0 --set inverse_temperature=1,3 --on ray '
        '--address head:6379\n'
        '  iql-ros sweep --dataset robot/drive-v0 --seeds 0-99 --print > trials.txt')
    _add_data_options(parser)
    _add_run_options(parser, 'the dataset', '; with KEY=VALUE,VALUE it is varied')
    _add_seeds_option(parser, 'default: seed 0 alone')
    parser.add_argument('--jobs', type=count, metavar='N',
                        help='trials at once on this machine (default: one a core, or one a GPU)')
    _add_place_options(parser)
    parser.add_argument('--resources', type=resources, metavar='CPU=1,GPU=0.5',
                        help='what a trial needs on a Ray cluster (default: CPU=1)')
    parser.add_argument('--print', action='store_true',
                        help='print the command of every trial that is not done, a line each '
                             '(for xargs, Slurm arrays), and run none')


def _add_data_options(parser) -> None:
    parser.add_argument('--dataset', metavar='ID|PATH', help='dataset (id, folder or HDF5 file)')
    parser.add_argument('--robot-config', metavar='YAML',
                        help='binds the policy to this robot (default: what the dataset says)')
    parser.add_argument('--env', metavar='ID', help='Gymnasium environment to evaluate in')
    _add_range_options(parser)
    _add_keys_option(parser)


def _add_seeds_option(parser, what: str) -> None:
    parser.add_argument('--seeds', type=seeds, metavar='N|A-B|A,B',
                        help=f'how many (3: seeds 0, 1 and 2), a range or a list; {what}')


def _add_place_options(parser) -> None:
    parser.add_argument('--on', choices=('here', 'ray'), default='here', metavar='PLACE',
                        help='here (processes of this machine) or ray (a Ray cluster)')
    parser.add_argument('--address', metavar='HOST:PORT',
                        help='of the cluster (default: $RAY_ADDRESS, else one of this machine '
                             'alone is started)')


def _add_finetune(subparsers) -> None:
    parser = _add_command(
        subparsers, 'finetune', commands.finetune,
        'Let a trained policy go on learning in an environment; Ctrl-C saves, --resume goes on.',
        'iql-ros finetune runs/drive-v0_iql --env iql_ros/DiffbotReal-v0\n'
        '  iql-ros finetune runs/mixed-v0_iql --env Hopper-v5 --config paper --set steps=30000\n'
        '  iql-ros finetune --resume --name drive-v0_iql_finetuned')
    parser.add_argument('checkpoint', nargs='?', metavar='CHECKPOINT',
                        help="to begin with: a .safetensors file, or a run's folder (its newest)")
    parser.add_argument('--env', metavar='ID', help='Gymnasium environment to act in')
    parser.add_argument('--dataset', metavar='ID|PATH',
                        help="offline data to learn from besides (default: the checkpoint's)")
    parser.add_argument('--robot-config', metavar='YAML',
                        help="this robot, its gate and its task (default: the checkpoint's)")
    _add_run_options(parser, "the checkpoint's run")
    parser.add_argument('--allow', action='append', default=[], choices=['task'], metavar='NAME',
                        help='go on where something is refused: task (data or a checkpoint of '
                             'another task)')


def _add_run_options(parser, named_after: str, several: str = '') -> None:
    parser.add_argument('--config', metavar='YAML',
                        help='settings: a file, or the name of a shipped one (default: robot)')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        help='one setting, over those of --config; may be repeated'
                             + several)
    parser.add_argument('--name', help="the run's folder in $IQL_RUNS (default ./runs); without "
                                       f'it, after {named_after}')
    parser.add_argument('--resume', action='store_true', help='go on where the run stopped')


def _add_evaluate(subparsers) -> None:
    parser = _add_command(
        subparsers, 'evaluate', evaluate_commands.evaluate,
        'Run seeded episodes of a policy in an environment, or tell which of two is the better.',
        'iql-ros evaluate runs/drive-v0_iql --env iql_ros/Diffbot-v0 --episodes 100\n'
        '  iql-ros evaluate runs/a runs/b --sequential --env iql_ros/Diffbot-v0\n'
        '  iql-ros evaluate --sequential --results a.csv b.csv')
    parser.add_argument('checkpoints', nargs='*', metavar='CHECKPOINT',
                        help="a .safetensors file, or a run's folder (its newest)")
    parser.add_argument('--env', metavar='ID', help='Gymnasium environment')
    parser.add_argument('--episodes', type=count, metavar='N',
                        help='how many (default: 10; with --sequential at most 500 of each)')
    parser.add_argument('--sequential', action='store_true',
                        help='drive two policies alternately from the same starts, and stop as '
                             'soon as it is sure which is better')
    parser.add_argument('--error', type=number, metavar='SHARE',
                        help='how often --sequential may be wrong (default: 0.05)')
    parser.add_argument('--results', nargs=2, metavar='CSV',
                        help="for --sequential: policy_node's results of two policies, driven in "
                             'turns, in place of an environment')
    parser.add_argument('--seed', type=seed, default=0, metavar='S',
                        help='of the first episode; the next takes S + 1')
    parser.add_argument('--csv', metavar='FILE', help='write a row an episode')
    parser.add_argument('--robot-config', metavar='YAML',
                        help='the robot whose gate every action passes (default: the one inside)')
    _add_acting_options(parser)
    _add_json_option(parser)


def _add_acting_options(parser) -> None:
    parser.add_argument('--device', default='auto', help='auto, cpu or cuda')
    parser.add_argument('--choice', choices=('auto', *CHOICES), default='auto', metavar='WAY',
                        help='mean, weighted or best: how the action comes out of the networks '
                             '(auto, the default: as the checkpoint says)')
    parser.add_argument('--samples', type=count, metavar='N',
                        help='of the actor that the critic chooses from')
    parser.add_argument('--choice-temperature', type=number, metavar='BETA',
                        help='inverse temperature of the weighted choice')


def _add_compare(subparsers) -> None:
    parser = _add_command(
        subparsers, 'compare', compare_commands.compare,
        'Say which of several policies to take, by recordings alone: no robot, no environment.',
        'iql-ros compare runs/a runs/b --report which.html\n'
        '  iql-ros compare runs/a --every-checkpoint --choice mean')
    parser.add_argument('runs', nargs='+', metavar='RUN',
                        help="a run's folder (its newest checkpoint), or a .safetensors file")
    parser.add_argument('--every-checkpoint', action='store_true',
                        help='take all checkpoints of each run, not its newest alone')
    parser.add_argument('--data', metavar='ID|PATH',
                        help='dataset to judge by (default: the one that the first learned from)')
    parser.add_argument('--choice', choices=('all', 'auto', *CHOICES), default='all',
                        metavar='WAY',
                        help='all (the default), mean, weighted or best: how actions come out of '
                             'the networks; auto: as each checkpoint says')
    parser.add_argument('--robot-config', metavar='YAML',
                        help='the robot whose task and gate apply (default: the one inside)')
    parser.add_argument('--report', metavar='FILE.html', help='write a page with plots')
    _add_json_option(parser)


def _add_replay(subparsers) -> None:
    parser = _add_command(
        subparsers, 'replay', replay_commands.replay,
        'Say what a policy would have sent on recordings, tick by tick: no robot, no ROS.',
        'iql-ros replay runs/drive-v0_iql drive_1 drive_2 --report replay.html\n'
        '  iql-ros replay policy.safetensors drive_1 --limit-scale 0.1 --csv replay.csv')
    parser.add_argument('checkpoint', metavar='CHECKPOINT',
                        help="a .safetensors file, or a run's folder (its newest)")
    parser.add_argument('sources', nargs='+', metavar='BAG', help='bags (folders or files)')
    parser.add_argument('--robot-config', metavar='YAML',
                        help='the robot, with the topics of the bags, its gate and its task '
                             '(default: the one inside the checkpoint)')
    parser.add_argument('--report', metavar='FILE.html', help='write a page with plots')
    parser.add_argument('--csv', metavar='FILE', help='write a row a tick')
    parser.add_argument('--limit-scale', type=number, default=1.0, metavar='SCALE',
                        help="of the gate's limits and rates, as policy_node's limit_scale")
    parser.add_argument('--seed', type=seed, default=0, metavar='S',
                        help="of the samples that a critic chooses from, as policy_node's seed")
    parser.add_argument('--first-episode', type=seed, default=0, metavar='N',
                        help="the first episode's number, which these samples depend on too")
    _add_acting_options(parser)
    parser.add_argument('--namespace', help="prefix of the robot's topics; default: found")
    parser.add_argument('--labels', metavar='CSV',
                        help='episodes as a person saw them, as for convert')
    _add_allow_option(parser)
    _add_types_option(parser)
    _add_json_option(parser)


def _add_benchmark(subparsers) -> None:
    parser = _add_command(
        subparsers, 'benchmark', commands.benchmark,
        'Measure updates a second beside the peers, in one run.',
        'iql-ros benchmark --json updates.json')
    parser.add_argument('--json', metavar='FILE', help='write the figures too')


def _add_doctor(subparsers) -> None:
    parser = _add_command(
        subparsers, 'doctor', commands.doctor,
        'Say what this machine has of what iql_ros needs, and what to do about the rest.',
        'iql-ros doctor\n'
        '\n'
        'ok: it works. -: it is missing, or not used, which may be fine. !!: it is broken.\n'
        'After -> stands what to do. Exit code 1 when anything is broken, else 0.')
    _add_json_option(parser)


def _add_demo(subparsers) -> None:
    parser = _add_command(
        subparsers, 'demo', commands.demo,
        'The whole loop on the sample recording: convert, train, evaluate, deploy, report.',
        'iql-ros demo --robot arm')
    # its rooms are heavy to import: demo.SCENES has the same names, and a test says so
    parser.add_argument('--robot', choices=('diffbot', 'arm'), default='diffbot', metavar='ROBOT',
                        help='diffbot or arm: which of the simulated robots')
    parser.add_argument('--smoke', action='store_true', help='all of it, with little training')
    parser.add_argument('--seed', type=seed, default=0, metavar='S', help='of the training')

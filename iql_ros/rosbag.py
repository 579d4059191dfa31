"""Bags -> episodes, through the robot interface, the task and the transitions; and a writer."""

import collections
import contextlib
import functools
from pathlib import Path
import shutil

from iql_ros import message_fields
from iql_ros.files import InputError, unknown_name
from iql_ros.robot_interface import ObservationBuffer, RobotInterface
from iql_ros.task import Task
from iql_ros.transitions import Episode, make_episode, TransitionBuilder

_OBSERVATION, _COMMAND, _REWARD, _TERMINATED, _EVENT = range(5)
_EVENT_TYPE = 'std_msgs/msg/Header'
_SUFFIXES = ('.mcap', '.db3', '.bag')


def read_episodes(sources, interface: RobotInterface,
                  namespace: str | None = None) -> tuple[list[Episode], dict]:
    """
    Turn bags (MCAP or sqlite3) into the episodes of one robot.

    Args:
        sources: Bag folders or files, or folders of bags; every bag's end truncates.
        namespace: Prefix of the robot's topics in the bags; None finds it.

    Returns:
        The episodes, and a report: messages read, ticks, why every episode ended.

    Raises:
        InputError: for a bag that cannot be read, a topic, type or field that does not fit.

    """
    task = Task(interface)
    episodes, bags = [], []
    for path in [path for source in sources for path in find_bags(source)]:
        samples, counts = _read_samples(path, interface, task, namespace)
        cutter = _EpisodeCutter(interface, task)
        found = cutter.cut(samples)
        episodes += found
        bags.append({'file': path.name, 'messages': counts, 'episodes': len(found),
                     'ended': dict(cutter.ended)})
    return episodes, {'bags': bags, 'transitions': sum(len(e.actions) for e in episodes)}


def find_bags(source) -> list[Path]:
    """Return the bags of a source: itself, or the bags of a folder in order of their names."""
    path = Path(source)
    if not path.exists():
        raise InputError(f"bag '{path}' does not exist")
    if path.is_file() or _data_files(path):
        return [path]
    bags = [child for child in sorted(path.iterdir()) if child.is_dir() and _data_files(child)]
    if not bags:
        raise InputError(f"'{path}' holds no bag; expected files named {', '.join(_SUFFIXES)}")
    return bags


def _data_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in _SUFFIXES)


def _sources_of(interface: RobotInterface, task: Task) -> list[tuple]:
    """Return (topic, type, kind, index, decode, stamp) of everything that is read."""
    sources = []
    for kind, streams in ((_OBSERVATION, interface.observation), (_COMMAND, interface.action)):
        sources += [(stream.topic, stream.type, kind, index, stream.decode, stream.stamp)
                    for index, stream in enumerate(streams)]
    for kind, source in ((_REWARD, task.reward_source), (_TERMINATED, task.terminated_source)):
        if source is not None:
            sources.append((source.topic, source.type, kind, 0, source.decode, 'header'))
    if task.episode is not None:
        sources.append((task.episode.topic, _EVENT_TYPE, _EVENT, 0,
                        lambda message: message.frame_id, 'self'))
    return sources


def _read_samples(path: Path, interface, task, namespace) -> tuple[list, dict]:
    """Return the bag's samples (stamp_ns, order, kind, index, value) in order of time."""
    make_reader = _reader()
    with _one_line(path):
        reader = make_reader([path])
        reader.open()
    with contextlib.closing(reader):
        return _decode_all(reader, path, _sources_of(interface, task), namespace)


@contextlib.contextmanager
def _one_line(path: Path):
    """Turn whatever rosbags and what it stands on raise on a damaged bag into one line."""
    try:
        yield
    except Exception as error:  # every kind: rosbags' own, of zstd and lz4, of sqlite, struct's
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise InputError(f"bag '{path}' cannot be read: {reason}") from None


def _reader():
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import get_typestore, Stores
    except ModuleNotFoundError as error:
        raise InputError(f"reading bags needs the module '{error.name}': pip install "
                         "'iql_ros[data]'") from None
    return functools.partial(AnyReader, default_typestore=get_typestore(Stores.ROS2_JAZZY))


def _decode_all(reader, path: Path, sources: list, namespace) -> tuple[list, dict]:
    types = {connection.topic: connection.msgtype for connection in reader.connections}
    prefix = _find_namespace(sources, types, namespace, path)
    wanted = {_resolve(prefix, source[0]): source for source in sources}
    for topic, source in wanted.items():
        if topic in types and types[topic] != source[1]:
            raise InputError(f"bag '{path}': topic '{topic}' is of type {types[topic]}; the "
                             f'robot interface says {source[1]}')
    connections = [connection for connection in reader.connections if connection.topic in wanted]
    samples, counts = [], collections.Counter({topic: 0 for topic in wanted})
    for topic, received_ns, message in _messages(reader, connections, path):
        _, _, kind, index, decode, stamp_from = wanted[topic]
        stamp_ns = _stamp_ns(message, stamp_from, received_ns)
        samples.append((stamp_ns, len(samples), kind, index, decode(message)))
        counts[topic] += 1
    for topic, source in wanted.items():
        if not counts[topic] and source[2] in (_OBSERVATION, _COMMAND):
            raise InputError(f"bag '{path}': no message on topic '{topic}'")
    return sorted(samples, key=lambda sample: sample[:2]), dict(counts)


def _messages(reader, connections: list, path: Path):
    """Yield (topic, received_ns, message)."""
    with _one_line(path):
        for connection, received_ns, raw in reader.messages(connections=connections):
            message = _deserialize(reader.deserialize, raw, connection.msgtype)
            yield connection.topic, received_ns, message


def _deserialize(deserialize, raw, type_name: str):
    """Deserialise, also with the padding that Fast DDS leaves behind an empty last array."""
    try:
        return deserialize(raw, type_name)
    except Exception:
        return deserialize(raw[:-4], type_name)  # padding is to 8 bytes; 3 are tolerated anyway


def _stamp_ns(message, stamp_from: str, received_ns: int) -> int:
    if stamp_from == 'self':
        return message.stamp.sec * 1_000_000_000 + message.stamp.nanosec
    if stamp_from == 'header' and hasattr(message, 'header'):
        return message_fields.stamp_ns(message)
    return received_ns


def _resolve(prefix: str, topic: str) -> str:
    return topic if topic.startswith('/') else f'{prefix}/{topic}'


def _find_namespace(sources, types: dict, namespace, path: Path) -> str:
    """Return the prefix under which the bag has every stream; ambiguity is the user's to solve."""
    required = [source[0] for source in sources if source[2] in (_OBSERVATION, _COMMAND)]
    if namespace is not None:
        prefixes = ['/' + namespace.strip('/') if namespace.strip('/') else '']
    else:
        first = next((topic for topic in required if not topic.startswith('/')), required[0])
        prefixes = [topic[:-len(first) - 1] for topic in types if topic.endswith('/' + first)]
    fitting = [prefix for prefix in prefixes
               if all(_resolve(prefix, topic) in types for topic in required)]
    if len(fitting) > 1:
        raise InputError(f"bag '{path}' has the robot's topics in several namespaces; choose one "
                         f'with --namespace: {", ".join(name or "/" for name in fitting)}')
    if not fitting:
        prefix = prefixes[0] if prefixes else ''
        missing = next(topic for topic in required if _resolve(prefix, topic) not in types)
        error = unknown_name('topic', _resolve(prefix, missing), sorted(types))
        raise InputError(f"bag '{path}': {error}")
    return fitting[0]


class _EpisodeCutter:
    """Walks the ticks of one bag and closes an episode for a reason that it counts."""

    def __init__(self, interface: RobotInterface, task: Task):
        self._interface, self._task = interface, task
        self._buffer = ObservationBuffer(interface)
        self._builder = TransitionBuilder(interface, task)
        self._episodes, self._transitions = [], []
        self.ended = collections.Counter()

    def cut(self, samples: list) -> list[Episode]:
        """Return the episodes of samples in order of time."""
        marked = any(kind == _EVENT and value == 'start' for _, _, kind, _, value in samples)
        self._inside = not marked
        position, index = 0, self._first_tick_for(samples[0][0]) - 1
        observed = False
        while position < len(samples):
            # Nothing can be seen in a gap until the next sample, however long it lasts.
            index = index + 1 if observed else max(
                index + 1, self._first_tick_for(samples[position][0]))
            tick_ns, events = self._interface.tick_ns(index), []
            while position < len(samples) and samples[position][0] <= tick_ns:
                self._push(samples[position], events)
                position += 1
            observed = self._tick(tick_ns, events, marked)
        self._close('end of bag')
        return self._episodes

    def _first_tick_for(self, stamp_ns: int) -> int:
        index = self._interface.tick_index(stamp_ns)
        return index if self._interface.tick_ns(index) == stamp_ns else index + 1

    def _push(self, sample, events: list) -> None:
        stamp_ns, _, kind, index, value = sample
        if kind == _OBSERVATION:
            self._buffer.push(index, stamp_ns, value)
        elif kind == _COMMAND:
            self._builder.add_command(index, stamp_ns, value)
        elif kind == _REWARD:
            self._builder.add_reward(stamp_ns, value)
        elif kind == _TERMINATED:
            self._builder.add_terminated(stamp_ns, bool(value))
        else:
            events.append(value)

    def _tick(self, tick_ns: int, events: list, marked: bool) -> bool:
        """Take a tick; return whether every stream was young enough."""
        observation = self._buffer.sample(tick_ns)
        if 'start' in events:
            self._close('next start')
            self._inside = True
        if observation is None:
            self._close('gap')
        elif self._inside:
            self._step(tick_ns, observation, events, marked)
        if any(event in events for event in ('end', 'trip', 'success', 'failure')):
            self._close('marked end')
            self._inside = False
        return observation is not None

    def _step(self, tick_ns: int, observation, events: list, marked: bool) -> None:
        outcome = None
        if 'success' in events or 'failure' in events:
            outcome = (self._task.success_reward if 'success' in events
                       else self._task.failure_reward)
        transition = self._builder.tick(tick_ns, observation, outcome)
        if transition is None:
            if self._transitions:
                self._transitions_end('no command in force')
            return
        self._transitions.append(transition)
        if transition.terminated or transition.truncated:
            self._close('terminated' if transition.terminated else 'time limit')
            if marked:
                self._inside = False
            elif transition.truncated:
                self._builder.tick(tick_ns, observation)  # the drive goes on: the next episode

    def _close(self, reason: str) -> None:
        self._builder.end_episode()
        if self._transitions:
            self._transitions_end(reason)

    def _transitions_end(self, reason: str) -> None:
        self._episodes.append(make_episode(self._transitions))
        self._transitions = []
        self.ended[reason] += 1


class BagWriter:
    """Writes a new bag, whole or not at all."""

    def __init__(self, path, storage: str = 'mcap'):
        """
        Begin a bag folder; `storage` is mcap (chunks compressed) or sqlite3.

        Raises:
            InputError: when the folder exists.

        """
        from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
        from rosbags.typesys import get_typestore, Stores
        self._path = Path(path)
        if self._path.exists():
            raise InputError(f"bag '{path}' exists; remove it or choose another name")
        self._partial = self._path.with_name(f'.{self._path.name}.partial')
        shutil.rmtree(self._partial, ignore_errors=True)
        self._writer = Writer(self._partial / self._path.name, version=9,
                              storage_plugin=StoragePlugin[storage.upper()])
        if storage == 'mcap':
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._typestore = get_typestore(Stores.ROS2_JAZZY)
        self._connections = {}

    def __enter__(self):
        self._writer.open()
        return self

    def write(self, topic: str, type_name: str, stamp_ns: int, cdr: bytes) -> None:
        """Append a serialised message, its bytes made anew: padding holds what was in memory."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, type_name, typestore=self._typestore)
        message = _deserialize(self._typestore.deserialize_cdr, cdr, type_name)
        self._writer.write(self._connections[topic], stamp_ns,
                           self._typestore.serialize_cdr(message, type_name))

    def __exit__(self, exception_type, exception, traceback):
        self._writer.close()
        if exception_type is None:
            (self._partial / self._path.name).rename(self._path)
        shutil.rmtree(self._partial)

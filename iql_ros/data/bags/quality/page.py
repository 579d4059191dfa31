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

"""The HTML page about bags: what is in them, what a conversion made of them, what is wrong."""

from iql_ros import pages as html
from iql_ros.data.bags.quality import figures
from iql_ros.data.bags.quality.tables import (
    ACTION_HEADER, action_rows, bag_line, by_topic, counted, delay_lines, seconds, STREAM_HEADER,
    stream_rows)
from iql_ros.data.oddities import range_text
from iql_ros.files import write_atomic

_BAGS = 6            # that have a timeline each
_EPISODES = 20       # rows of a table
_VALUES = 60         # rows of a table
_FEW = 3             # messages; topics with fewer are not drawn
_TOPIC_HEADER = ('topic', 'type', 'messages', 'rate', 'jitter', 'gaps', 'received late by')
_FIELD_HEADER = ('value', 'lowest', 'highest', '')


def write_bag_page(path, *, surveys=(), report: dict | None = None) -> None:
    """
    Write one HTML page, which opens offline, about bags and what was made of them.

    Args:
        path: Where to.
        surveys: Dicts of bag_survey.survey_bag.
        report: The quality report of rosbag.read_episodes.

    Raises:
        InputError: when matplotlib is missing.

    """
    surveys = list(surveys)
    sections = [html.section('What is wrong', *_wrong(surveys, report))]
    if report is not None:
        sections += _conversion(report)
    for survey in surveys:
        sections += _survey(survey, several=len(surveys) > 1)
    write_atomic(path, html.page(_title(surveys, report), sections, _subtitle(surveys, report)))


def _title(surveys: list[dict], report: dict | None) -> str:
    if report is not None:
        return f"Recordings of {report['robot']}"
    return f"What is in {surveys[0]['file']}" if len(surveys) == 1 else (
        f'What is in {len(surveys)} bags')


def _subtitle(surveys: list[dict], report: dict | None) -> str:
    if report is not None:
        bags = len(report['bags'])
        return (f"{report['transitions']:,} transitions in {report['episodes']:,} episodes from "
                f"{bags} bag{'' if bags == 1 else 's'}, at {report['control_rate']:g} Hz")
    messages = sum(survey['messages'] for survey in surveys)
    length = sum(_length(survey) for survey in surveys)
    return f'{messages:,} messages, {seconds(length)}'


def _length(survey: dict) -> float:
    return survey['end'] - survey['start'] if survey['messages'] else 0.0


def _wrong(surveys: list[dict], report: dict | None) -> list[str]:
    texts = list(report['remarks']) if report is not None else []
    for survey in surveys:
        prefix = f"{survey['file']}: " if len(surveys) > 1 else ''
        texts += [prefix + text for text in survey['remarks']]
    parts = [html.list_html(texts) if texts else html.paragraph(
        'Nothing suspicious was found in the times, the values and the use of what was recorded.')]
    notes = [f"{bag['file']}: {note}" for bag in (report['bags'] if report else surveys)
             for note in bag['notes']]
    if notes:
        parts += [html.paragraph('Noted while reading:'), html.list_html(notes)]
    return parts


def _conversion(report: dict) -> list[str]:
    bags = report['bags']
    topics = [(topic, [stream for _, stream in found])
              for (role, topic), found in by_topic(bags).items() if role == 'observation']
    late = figures.lateness_figure(
        [(topic, [one for one in found if one['stamp'] == 'header']) for topic, found in topics],
        report['settle'])
    ages = figures.age_histograms(topics)
    sections = [html.section('When', *_timelines(bags, 1 / report['control_rate'])),
                html.section('Streams', html.table_html(stream_rows(bags), STREAM_HEADER), *ages,
                             *([late] if late else [])),
                html.section('Ticks', *_ticks(bags))]
    if report['episodes']:
        sections += [html.section('Episodes', *_episodes(bags)),
                     html.section('Actions', figures.actions_figure(report['actions']),
                                  html.table_html(action_rows(report['actions']), ACTION_HEADER)),
                     html.section('From action to effect', *_delays(bags)),
                     html.section('Observations', *_ranges(report['observations']))]
    return sections


def _timelines(bags: list[dict], tick: float) -> list[str]:
    worst = sorted(bags, key=lambda bag: -sum(bag['dropped'].values()))[:_BAGS]
    parts = []
    if len(bags) > _BAGS:
        parts.append(html.paragraph(f'Of {len(bags)} bags, the {_BAGS} in which most ticks were '
                                    'not used.'))
    shown = [bag for bag in bags if any(bag is one for one in worst)]
    for bag in shown:
        episodes = [{**episode, 'duration': episode['steps'] * tick}
                    for episode in bag['episodes']]
        parts.append(figures.timeline(
            bag_line(bag), bag['start'], bag['end'],
            [(stream['topic'], _drawn(stream)) for stream in bag['streams']
             if stream['messages']], episodes, explained=bag is shown[0]))
    return parts


def _drawn(stream: dict) -> dict:
    """Return a stream as a timeline shows it: between events there are no gaps."""
    return {**stream, 'gaps': [], 'period': 0.0} if stream['role'] == 'event' else stream


def _ticks(bags: list[dict]) -> list[str]:
    parts = [figures.ticks_figure(
        *(sum(bag[key] for bag in bags) for key in ('ticks', 'used')), counted(bags, 'dropped'))]
    if len(bags) > 1:
        parts.append(html.table_html(
            [(bag['file'], seconds(bag['end'] - bag['start']), f"{bag['ticks']:,}",
              f"{bag['used']:,}", len(bag['episodes'])) for bag in bags],
            ('bag', 'length', 'ticks', 'used', 'episodes')))
    return parts


def _episodes(bags: list[dict]) -> list[str]:
    episodes = [(bag, episode) for bag in bags for episode in bag['episodes']]
    several = len(bags) > 1
    rows = [((f"{bag['file']}, " if several else '')
             + f"{episode['start'] - bag['start']:.1f} s", f"{episode['steps']:,}",
             f"{episode['return']:.4g}", episode['ended']) for bag, episode in episodes]
    parts = [figures.episodes_figure([episode for _, episode in episodes]),
             html.table_html([(reason, f'{count:,}') for reason, count in counted(bags, 'ended')],
                             ('ended by', 'episodes')),
             html.table_html(rows[:_EPISODES], ('begins at', 'steps', 'return', 'ended by'))]
    if len(rows) > _EPISODES:
        parts.append(html.paragraph(f'and {len(rows) - _EPISODES:,} more.'))
    return parts


def _delays(bags: list[dict]) -> list[str]:
    pairs = [pair for bag in bags for pair in bag['delays'] if 'curve' in pair]
    if not pairs:
        return [html.paragraph('No action is seen to move any observation.')]
    strongest = max(pairs, key=lambda pair: abs(pair['correlation']))
    return [html.list_html(delay_lines(bags)), figures.delay_figure(strongest)]


def _ranges(values: list[dict]) -> list[str]:
    rows = [(value['name'], *range_text(value['minimum'], value['maximum']),
             'never changes' if value['constant'] else '') for value in values[:_VALUES]]
    return [html.table_html(rows, _FIELD_HEADER), *_more(len(values) - _VALUES)]


def _more(number: int) -> list[str]:
    return [html.paragraph(f'and {number:,} more.')] if number > 0 else []


def _survey(survey: dict, several: bool) -> list[str]:
    """Return the sections about one bag; a page about several names the bag in each."""
    name = f": {survey['file']}" if several else ''
    topics = [topic for topic in survey['topics'] if topic['messages']]
    drawn = [(topic['name'], topic) for topic in topics if topic['messages'] >= _FEW]
    when, offsets = [], figures.lateness_figure(
        [(topic['name'], [topic]) for topic in topics if topic['messages'] >= _FEW], None)
    if drawn:
        when = [html.section(f'When{name}', figures.timeline(
            f"{survey['file']}: {seconds(_length(survey))}", survey['start'], survey['end'],
            drawn))]
    return [*when, html.section(
        f'Topics{name}', html.table_html([_topic_row(topic) for topic in survey['topics']],
                                         _TOPIC_HEADER), *([offsets] if offsets else [])),
            html.section(f'Values{name}', *_fields(topics))]


def _topic_row(topic: dict) -> tuple[str, ...]:
    read, declared, offset = topic['messages'], topic['declared'], topic['offset']
    known = read >= _FEW
    gap = max((length for _, length in topic['gaps']), default=0.0)
    return (topic['name'], topic['type'].replace('/msg/', '/'),
            f'{read:,}' + (f' of {declared:,}' if declared > read else ''),
            f"{topic['rate']:.3g} Hz" if known else '',
            seconds(topic['jitter']) if known else '',
            f"{len(topic['gaps'])}, up to {seconds(gap)}" if topic['gaps'] else '',
            seconds(offset['median']) if offset else 'no header')


def _fields(topics: list[dict]) -> list[str]:
    parts = [html.paragraph(topic['error']) for topic in topics if topic['error']]
    rows = []
    for topic in topics:
        fields = topic['fields'][:_VALUES]
        rows += [(f"{topic['name']} {field['name']}", *_extremes(field), _field_note(field))
                 for field in fields]
        if len(topic['fields']) > _VALUES:
            rows.append((f"{topic['name']}: {len(topic['fields']) - _VALUES:,} more", '', '', ''))
    if not rows:
        return [*parts, html.paragraph('No topic has numbers.')]
    return [*parts, html.table_html(rows, _FIELD_HEADER)]


def _extremes(field: dict) -> tuple[str, str]:
    if field['minimum'] is None:
        return '', ''
    return range_text(field['minimum'], field['maximum'])


def _field_note(field: dict) -> str:
    if field['minimum'] is None:
        return 'never a finite number'
    notes = ['never changes'] if field['constant'] else []
    if field['nan']:
        notes.append(f"{field['nan']:.1%} not finite")
    odd = field.get('odd', {})
    if odd.get('outside'):
        notes.append(f"{odd['outside']:,} far outside of "
                     + ' to '.join(range_text(odd['low'], odd['high'])))
    return '; '.join(notes)

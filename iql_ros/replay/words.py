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

"""What a replay comes to, in sentences."""


def words(summary: dict) -> list[str]:
    """Return sentences about the figures of summary.summarise."""
    return [*_differences(summary), *_gate(summary), _outside(summary['outside']),
            _critic(summary['critic']), *_operated(summary['operated'])]


def percent(share: float) -> str:
    """Return a share as people say it; only nothing is 0%, and only all is 100%."""
    if 0 < share < 0.001:
        return 'less than 0.1%'
    if 0.999 < share < 1:
        return 'more than 99.9%'
    return f'{share:.1%}' if 0 < share < 0.1 or 0.9 < share < 1 else f'{share:.0%}'


def ticks(count: int) -> str:
    """Return a number of ticks in words."""
    return f'{count:,} tick{"" if count == 1 else "s"}'


def when(place: dict) -> str:
    """Return bag and time of a moment or a trip."""
    return f"{place['bag']} at {place['seconds']:.1f} s"


def _differences(summary: dict) -> list[str]:
    if summary['same'] == 1.0:
        return ['It would have sent what was commanded, to the bit, at every tick.']
    median, most = (percent(summary['distance'][key]) for key in ('median', 'p95'))
    same = f" (the same, to the bit, at {percent(summary['same'])})" if summary['same'] else ''
    return [f'At half of the ticks it would have sent what was commanded to within {median} of '
            f'the range, at 19 of 20 to within {most}{same}.',
            *(_moment(moment, summary['actions']) for moment in summary['moments'][:1])]


def _moment(moment: dict, actions: list[dict]) -> str:
    """Return what is said of a moment, of the action that differs most of its range."""
    def away(index: int) -> float:
        low, high = (actions[index][end] for end in ('low', 'high'))
        return abs(moment['sent'][index] - moment['commanded'][index]) / (high - low)
    known = [index for index, sent in enumerate(moment['sent']) if sent == sent]   # no NaN
    index = max(known, key=away)
    return (f"It differs most in {when(moment)}: {actions[index]['name']} "
            f"{moment['sent'][index]:.3g} in place of {moment['commanded'][index]:.3g}.")


def _gate(summary: dict) -> list[str]:
    trips, gated = summary['trips'], summary['gated']
    said = [f'The gate would have changed its command at {percent(gated)} of the ticks.' if gated
            else 'The gate would have left all of its commands as they are.']
    if trips['ticks']:
        first = min(trips['reasons'], key=lambda each: (each['bag'], each['seconds']))
        said.append(f"It would have tripped at {ticks(trips['ticks'])}, first in {when(first)}: "
                    f"{first['reason']}.")
    return said


def _outside(outside: dict | None) -> str:
    if outside is None:
        return ('The checkpoint is older and does not tell the range of its training data: train '
                'it anew to see what lies outside.')
    if not outside['values']:
        return 'Every observation lies within the range of its training data.'
    worst = outside['values'][0]
    return (f"{percent(outside['ticks'])} of the observations lie outside the range of its "
            f"training data, most often by '{worst['name']}' ({percent(worst['ticks'])}).")


def _critic(critic: dict | None) -> str:
    if critic is None:
        return 'The checkpoint has no critic, which would say whether it takes that for better.'
    return (f"Its critic takes what it would have sent for better at {percent(critic['better'])} "
            f"of the ticks, for worse at {percent(critic['worse'])}.")


def _operated(share: float) -> list[str]:
    return [f'An operator had control at {percent(share)} of the ticks.'] if share else []

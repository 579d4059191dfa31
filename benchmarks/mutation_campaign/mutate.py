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

"""What somebody could make of a text, a tree of values or bytes: each a function of chance."""

import json

import yaml

NUMBERS = (0, -1, 1, 2, 255, 2**31, 2**53 + 1, 2**63, 2**64, -2**63, 10**400, 0.5, -0.0, 5e-324,
           1e30, 1e308, -1e308, float('nan'), float('inf'), float('-inf'))
TEXTS = ('', ' ', 'a' * 300, 'x' * 100_000, '\x00', '\x1b[31m', 'a\nb', '\u202e', 'ä',
         '\U0001f916', '\ufeff', '²', 'null', 'nan', '.inf', '1e5', '0x' + 'f' * 600,
         '1' * 5000, '../../a', '~', 'os:system', 'subprocess:run', 'builtins:eval',
         'shutil:rmtree', '%s%n', '{}', 'zero', 'hold', 'none', 'robot_pose', "'", '"',
         '/dev/zero', 'iql_ros.tasks:docked')
_LEVELS = (5, 40, 985, 20_000)


def odd(rng):
    """Return a value that hardly ever belongs where it stands."""
    kind = rng.randrange(8)
    if kind < 3:
        return rng.choice(NUMBERS)
    if kind < 6:
        return rng.choice(TEXTS)
    return rng.choice((None, True, False, [], {}, [[]], [None], {'': ''}, {'a': {'b': [1]}},
                       list(range(300)), [0.1] * 20, ['a', 1], [float('nan')] * 2))


def places(tree):
    """Return (holder, key) of everything inside a tree of dicts and lists."""
    found, pending = [], [tree]
    while pending:
        holder = pending.pop()
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                pending.append(holder[key])
    return found


def change_tree(tree, rng) -> str:
    """Change a tree of dicts and lists in place, once or a few times; return what was done."""
    done = [_change_once(tree, rng) for _ in range(rng.choice((1, 1, 1, 2, 5)))]
    return ' '.join(done)


def _change_once(tree, rng) -> str:
    found = places(tree)
    if not found:
        return 'nothing'
    holder, key = rng.choice(found)
    kind = rng.choice(('odd', 'odd', 'remove', 'rename', 'add', 'swap', 'scale', 'text', 'wrap',
                       'repeat'))
    value = holder[key]
    if kind == 'odd':
        holder[key] = odd(rng)
    elif kind == 'remove':
        del holder[key]
    elif kind in ('rename', 'add') and isinstance(holder, dict):
        name = rng.choice((str(key)[:-1], rng.choice(TEXTS), 'a' * 2000))
        holder[name] = holder.pop(key) if kind == 'rename' else odd(rng)
    elif kind == 'swap':
        other, place = rng.choice(found)
        if place in (other if isinstance(other, dict) else range(len(other))):
            holder[key], other[place] = json.loads(json.dumps(other[place], default=str)), 1
    elif kind == 'scale' and isinstance(value, (int, float)) and not isinstance(value, bool):
        holder[key] = value * rng.choice((-1, 0, 10, 1e6, 1e300, 0.5))
    elif kind == 'text':
        holder[key] = str(value)[:100]
    elif kind == 'wrap':
        for _ in range(rng.choice((1, 2, 60))):
            value = [value]
        holder[key] = value
    elif kind == 'repeat' and isinstance(value, (str, list)):
        holder[key] = value * rng.choice((0, 2, 50))
    return kind


def change_bytes(data: bytes, rng) -> tuple[bytes, str]:
    """Return bytes that were damaged without a look at what they mean."""
    content = bytearray(data)
    kind = rng.choice(('flip', 'flip', 'cut', 'noise', 'size', 'insert', 'random', 'twice'))
    place = rng.randrange(len(content)) if rng.random() < 0.5 else rng.randrange(
        min(len(content), 4096))
    if kind == 'flip':
        for _ in range(rng.choice((1, 1, 8))):
            content[place] ^= 1 << rng.randrange(8)
            place = rng.randrange(len(content))
    elif kind == 'cut':
        del content[place:]
    elif kind == 'noise':
        size = rng.choice((4, 64, 4096))
        content[place:place + size] = rng.randbytes(size)
    elif kind == 'size':
        value = rng.choice((0, 7, 2**16, 2**24, 2**31 - 1, 2**32, 2**40, 2**63, 2**64 - 1))
        place = rng.choice((0, place))
        content[place:place + 8] = value.to_bytes(8, 'little')
    elif kind == 'insert':
        content[place:place] = rng.randbytes(rng.choice((1, 8, 1000)))
    elif kind == 'random':
        content = bytearray(rng.randbytes(rng.choice((0, 1, 7, 8, 9, 1000, 100_000))))
    else:
        content *= 2
    return bytes(content), kind


def change_json(value, rng) -> tuple[str, str]:
    """Return JSON text of a changed tree, or text that only looks like it."""
    kind = rng.choice(('tree',) * 8 + ('nested', 'digits', 'twice', 'bytes', 'wide', 'surrogate'))
    if kind == 'tree':
        done = change_tree(value, rng)
        return json.dumps(value, default=str), done
    text, levels = json.dumps(value), rng.choice(_LEVELS)
    if kind == 'nested':
        inner = '[' * levels + ']' * levels
        return rng.choice((inner, text.replace(': ', f': {inner}, "a": ', 1), '[' * levels)), kind
    if kind == 'digits':
        number = '1' * rng.choice((400, 4300, 100_000))
        return text.replace(': ', f': {number}, "a": ', 1), kind
    if kind == 'twice':
        return text.replace('{', '{"step": 1, "step": 2, "robot_config": 5, ', 1), kind
    if kind == 'wide':
        return text.replace('{', '{"a": [' + '[],' * rng.choice((100, 200_000)) + '1], ', 1), kind
    if kind == 'surrogate':
        return text.replace('a', '\\ud800', rng.randrange(1, 4)), kind
    return change_bytes(text.encode(), rng)[0].decode('latin-1'), kind


def bomb(rng) -> str:
    """Return YAML lines whose aliases or merges stand for very much."""
    merges, width = rng.random() < 0.5, rng.choice((2, 9, 30))
    lines = ['a0: &a0 {x: 1}' if merges else 'a0: &a0 [1, 1]']
    for level in range(1, rng.choice((3, 8, 20))):
        aliases = ', '.join([f'*a{level - 1}'] * width)
        lines.append(f'a{level}: &a{level} ' + (
            f'{{<<: [{aliases}], x{level}: 1}}' if merges else f'[{aliases}]'))
    return '\n'.join(lines) + '\n'


def change_yaml(text: str, rng) -> tuple[str, str]:
    """Return YAML text that was changed as a tree, as lines, or by what YAML itself allows."""
    kind = rng.choice(('tree',) * 6 + ('lines', 'lines', 'value', 'value', 'bytes', 'bomb',
                                       'nested', 'tag', 'number', 'encoding'))
    if kind == 'tree':
        tree = yaml.safe_load(text)
        done = change_tree(tree, rng)
        try:
            return yaml.safe_dump(tree, sort_keys=False, allow_unicode=rng.random() < 0.5), done
        except (yaml.YAMLError, ValueError):  # a number of 400 digits, a lone surrogate
            return json.dumps(tree, default=str), done
    lines = text.split('\n')
    place = rng.randrange(len(lines))
    if kind == 'lines':
        other = rng.randrange(len(lines))
        lines[place] = rng.choice((lines[other], '', ' ' + lines[place], lines[place].lstrip(),
                                   lines[place] * 2, f'{lines[place]}\n{lines[place]}', '---',
                                   '\t' + lines[place], '%YAML 9.9', lines[place] + ' &a *a'))
        return '\n'.join(lines), kind
    if kind == 'bytes':
        return change_bytes(text.encode(), rng)[0].decode('latin-1'), kind
    if kind == 'encoding':
        return text.encode(rng.choice(('utf-16', 'utf-32', 'utf-8-sig'))).decode('latin-1'), kind
    if kind == 'bomb':
        lines.insert(0, bomb(rng))
        if rng.random() < 0.5:
            lines[place] = lines[place].partition(':')[0] + ': *a2'
        return '\n'.join(lines), kind
    levels = rng.choice(_LEVELS)
    given = {'nested': lambda: rng.choice(('[' * levels + ']' * levels, '{a: ' * levels,
                                           '- ' * levels, '? ' * levels)),
             'tag': lambda: rng.choice((
                 '!!python/object/apply:os.system [touch executed]', '!!python/name:os.system',
                 '!!binary aGVsbG8=', '!!binary %', '!!set {a}', '!!omap [a: 1]', '!!int x',
                 '!!bool x', "!!int ''", '!!timestamp x', '!!timestamp 2001-99-99', '!!str 5',
                 '!!float [1]', '!!map 5', '!unknown 5', '!!null x', '2001-01-01', '<<: 5')),
             'number': lambda: rng.choice((
                 '1' + ':1' * rng.choice((5, 100_000)), '0x' + 'f' * 5000, '1e400', '0b1',
                 '1' * rng.choice((400, 5000, 200_000)), '0o7', '1_0', '.nan', '-.inf')),
             'value': lambda: str(odd(rng))}[kind]()
    lines[place] = lines[place].partition(':')[0] + ': ' + given
    return '\n'.join(lines), kind

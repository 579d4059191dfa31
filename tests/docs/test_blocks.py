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

"""Tests that every command of the docs is run or says why not, and for the script that runs it."""

from pathlib import Path

import pytest

from tests.docs.blocks import read_page
from tests.docs.run_blocks import main, pages

PAGE = """# A page

<!-- not run: needs ROS 2 -->
```console
$ ros2 topic list
```

<!-- slow: a minute -->
```console
$ sleep 60
```

```console
$ echo one \\
>   two
one two
$ echo three
three
```

<!-- file: task.py -->
```python
def reward():
    return 1
```
<!-- edit: touch seen -->
"""


def read(text):
    return read_page(Path('page.md'), text)


@pytest.mark.parametrize('path', pages(), ids=lambda path: path.name)
def test_every_block_of_a_page_can_be_run_or_says_why_not(path):
    assert read_page(path).faults == []


def test_the_how_to_pages_have_blocks_that_run():
    for name in ('own-robot', 'cluster-of-bags', 'without-ros', 'upgrade-from-d4rl'):
        path = next(path for path in pages() if path.stem == name)
        assert any(block.commands and not (block.slow or block.not_run)
                   for block in read_page(path).blocks), name


def test_a_page_is_read_as_its_commands_marks_and_files():
    page = read(PAGE)
    ros, slow, echo, task, edit = page.blocks
    assert page.faults == []
    assert ros.not_run == 'needs ROS 2' and not ros.slow
    assert slow.slow and slow.commands == ((10, 'sleep 60'),)
    assert echo.commands == ((14, 'echo one \\\n  two'), (17, 'echo three'))
    assert (task.file, task.text) == ('task.py', 'def reward():\n    return 1\n')
    assert edit.commands == ((26, 'touch seen'),)


@pytest.mark.parametrize('text, fault', [
    ('Do\n\n    iql-ros train\n', '3: an indented block; write a fenced one'),
    ('```bash\niql-ros train\n```\n', '1: a block of bash; write ```console'),
    ('```\n$ iql-ros train\n```\n', '1: commands in a block of no language; write ```console'),
    ('```console\niql-ros train\n```\n', "1: no command begins with '$ '"),
    ('<!-- slow -->\n\nThen\n```console\n$ a\n```\n',
     '3: the mark above this line stands above no block'),
    ('<!-- not run -->\n```console\n$ a\n```\n',
     "1: mark 'not run' says nothing; expected a reason or a name"),
    ('<!-- slow -->\n<!-- not run: b -->\n```console\n$ a\n```\n',
     '3: both slow and not run'),
    ('<!-- slow -->\n```yaml\na: 1\n```\n', '2: a mark above a block without commands'),
    ('Do\n```console\n$ a\n', '2: the block has no end'),
    ('````{note}\n```sh\na\n```\n````\n', '2: a block of sh; write ```console')])
def test_what_would_be_passed_over_is_a_fault(text, fault):
    assert fault in read(text).faults


def test_the_marks_of_myst_and_its_code_blocks_are_read_too():
    page = read('% not run: a robot\n\n```{code-block} console\n$ a\n```\n')
    assert page.faults == [] and page.blocks[0].not_run == 'a robot'


def test_a_page_is_one_terminal_with_a_home_of_its_own(tmp_path, capfd):
    page = tmp_path / 'page.md'
    page.write_text('<!-- file: a.txt -->\n```text\nhello\n```\n'
                    '```console\n$ export WORD=$(cat a.txt)\n```\n'
                    '```console\n$ test "$WORD" = hello && test -f config/nodes.yaml\n'
                    '$ test "$HOME" = "$(realpath ../home)"\n```\n')
    assert main([str(page)]) == 0
    assert '2 blocks: 2 run, 0 slow, 0 not run, 0 failed; 0 faults' in capfd.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ['page.md']


def test_a_command_that_fails_is_named_with_its_line_and_last_words(tmp_path, capfd):
    page = tmp_path / 'page.md'
    page.write_text('# A page\n```console\n$ true\n$ (echo no such robot; exit 3) | cat\n'
                    '$ true\n```\n```console\n$ true\n```\n')
    assert main([str(page)]) == 1
    said = capfd.readouterr().out
    assert (f'{page}:4: exit code 3: (echo no such robot; exit 3) | cat\n'
            '    no such robot\n') in said
    assert 'not run           a command before it failed' in said
    assert '2 blocks: 0 run, 0 slow, 1 not run, 1 failed' in said


def test_slow_blocks_run_when_they_are_asked_for(tmp_path, capfd):
    page = tmp_path / 'page.md'
    page.write_text('<!-- slow -->\n```console\n$ true\n```\n')
    assert main([str(page)]) == 0
    assert main(['--slow', str(page)]) == 0
    first, second = [line for line in capfd.readouterr().out.splitlines() if 'blocks:' in line]
    assert '0 run, 1 slow' in first and '1 run, 0 slow' in second


def test_a_page_whose_files_are_not_here_is_not_run(tmp_path, capfd):
    page = tmp_path / 'page.md'
    page.write_text('<!-- needs: nowhere.bag -->\n```console\n$ false\n```\n')
    assert main([str(page)]) == 0
    assert 'needs nowhere.bag' in capfd.readouterr().out


def test_a_page_that_is_not_there_is_refused_on_one_line(capfd):
    with pytest.raises(SystemExit, match='2'):
        main(['nothing.md'])
    assert capfd.readouterr().err.splitlines()[-1] == 'run_blocks: error: nothing.md: no such page'

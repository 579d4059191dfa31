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

"""
Runs the commands of README.md and docs/ as a reader would type them.

    python -m tests.docs.run_blocks [--slow] [--list] [FILE...]

A page is a terminal: its blocks run in order, in one new folder that looks like a checkout
(config/, share/ and the like are there), with a home, datasets and runs of its own; what a block
exports holds for the next. Without --slow those marked slow are left out. blocks.py says what
marks there are. As many pages run side by side as there are cores.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
import contextlib
import dataclasses
import os
from pathlib import Path
import resource
import signal
import subprocess
import sys
import tempfile
import time

from tests.docs.blocks import Block, Page, read_page
from tests.places import BAGS, ROOT

CHECKOUT = ('benchmarks', 'config', 'launch', 'share', 'sim')
QUICK = 30.0                             # [s] beyond which a block is to be marked slow
_LIMITS = {False: 300.0, True: 3600.0}   # [s] after which a block is stopped: quick, slow
_TAIL = 15                               # lines of a failed block's output
_SHOWN = 60                              # characters of a command in the list
_RUNNING = set()                         # bashes, each of a session of its own
# Runs before a block: the environment of the one before, and what tells of a failure's line.
_BEFORE = ('[ ! -e ../exported ] || . ../exported; set -E; '
           'trap \'export -p >"$SCRATCH/exported"\' EXIT; '
           'trap \'printf %s "$LINENO" >"$SCRATCH/failed_at"\' ERR')


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a block."""

    block: Block
    fate: str                            # run | failed | slow | not run
    text: str                            # the command, or why it was not run
    seconds: float | None = None


def pages() -> list[Path]:
    """Return the README and every page of docs/, without what the site's builder leaves there."""
    found = (path for path in sorted((ROOT / 'docs').rglob('*.md'))
             if not any(part.startswith(('_', '.')) for part in path.relative_to(ROOT).parts))
    return [ROOT / 'README.md', *found]


def run_page(page: Page, slow: bool, dry: bool = False) -> list[Result]:
    """Run the blocks of a page until one fails; `dry` only says what would be done."""
    absent = [name for name in page.needs if not (BAGS / name).exists()]
    results = []
    with tempfile.TemporaryDirectory(prefix='docs_') as scratch:
        folder = _new_folder(Path(scratch), page)
        for block in page.blocks:
            if block.file and not (dry or absent):
                (folder / block.file).write_text(block.text)
            if not block.commands:
                continue
            if results and results[-1].fate == 'failed':
                results.append(Result(block, 'not run', 'a command before it failed'))
            elif block.not_run or absent:
                results.append(Result(block, 'not run',
                                      block.not_run or f'needs {", ".join(absent)}'))
            elif block.slow and not slow:
                results.append(Result(block, 'slow', str(block)))
            elif dry:
                results.append(Result(block, 'run', str(block)))
            else:
                results.append(_run(block, folder))
    return results


def _new_folder(scratch: Path, page: Page) -> Path:
    """Return the folder that a page's commands run in."""
    folder = scratch / 'iql_ros'
    (scratch / 'home').mkdir()
    folder.mkdir()
    for name in CHECKOUT:
        (folder / name).symlink_to(ROOT / name)
    for name in page.needs:
        (folder / name).symlink_to(BAGS / name)
    return folder


def _environment(scratch: Path) -> dict[str, str]:
    scripts = Path(sys.executable).parent
    own = {name: value for name, value in os.environ.items()
           if name not in ('PYTHONPATH', 'AMENT_PREFIX_PATH')}
    return {'OMP_NUM_THREADS': '1', **own, 'PATH': f'{scripts}:{own["PATH"]}',
            'HOME': str(scratch / 'home'), 'SCRATCH': str(scratch),
            'MINARI_DATASETS_PATH': str(scratch / 'home' / '.minari' / 'datasets'),
            'IQL_RUNS': str(scratch / 'iql_ros' / 'runs')}


def _run(block: Block, folder: Path) -> Result:
    """Run a block; every command stands on the line of the script that it has on its page."""
    scratch, started = folder.parent, time.monotonic()
    lines = [_BEFORE, *[''] * (block.commands[-1][0] - 1)]
    for number, command in block.commands:
        lines[number - 1] = command.replace('\\\n', ' ')
    script, output = scratch / block.page.name, scratch / 'output'
    script.write_text('\n'.join(lines) + '\n')
    with open(output, 'wb') as written:
        process = subprocess.Popen(
            ['bash', '-euo', 'pipefail', str(script)], cwd=folder, env=_environment(scratch),
            stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT,
            start_new_session=True)
        _RUNNING.add(process)
        try:
            code = process.wait(_LIMITS[block.slow])
        except subprocess.TimeoutExpired:
            code = f'stopped after {_LIMITS[block.slow]:g} s'
        _RUNNING.discard(process)
        _kill(process)
    if code:
        _tell_failure(block, code, scratch / 'failed_at', output)
    return Result(block, 'failed' if code else 'run', str(block), time.monotonic() - started)


def _kill(process: subprocess.Popen) -> None:
    """End a bash and what it has left in the background."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tell_failure(block: Block, code, failed_at: Path, output: Path) -> None:
    line = int(failed_at.read_text()) if failed_at.exists() else block.line
    command = next((text for number, text in reversed(block.commands) if number <= line), '')
    told = output.read_text(errors='replace').splitlines()[-_TAIL:]
    print('\n    '.join([f'{_place(block.page, line)}: exit code {code}: {command}', *told]),
          flush=True)


def _place(page: Path, line: int) -> str:
    return f'{page.relative_to(ROOT) if page.is_relative_to(ROOT) else page}:{line}'


def _line(result: Result) -> str:
    seconds = '' if result.seconds is None else f'{result.seconds:.1f} s'
    text = result.text if len(result.text) <= _SHOWN else result.text[:_SHOWN - 3] + '...'
    late = seconds and result.seconds > QUICK and not result.block.slow
    return (f'{_place(result.block.page, result.block.line):<40} {result.fate:<8} {seconds:>7}  '
            f'{text}{" (mark it slow)" if late else ""}')


def main(arguments=None) -> int:
    """Run what the command line says; return 1 where a command failed or a page is at fault."""
    parser = argparse.ArgumentParser(prog='run_blocks', description='Run the docs.')
    parser.add_argument('files', nargs='*', metavar='FILE', type=Path, help='default: all pages')
    parser.add_argument('--slow', action='store_true', help='those marked slow too')
    parser.add_argument('--list', action='store_true', help='only say what would be run')
    options = parser.parse_args(arguments)
    for path in options.files:
        if not path.is_file():
            parser.error(f'{path}: no such page')
    started = time.monotonic()
    found = [read_page(path.resolve()) for path in options.files or pages()]
    results = _run_pages(found, options.slow, options.list)
    for result in results:
        print(_line(result))
    faults = [_place(page.path, fault) for page in found for fault in page.faults]
    for fault in faults:
        print(fault)
    fates = [result.fate for result in results]
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f'{len(fates)} blocks: ' + ', '.join(
        f'{fates.count(fate)} {fate}' for fate in ('run', 'slow', 'not run', 'failed'))
        + f'; {len(faults)} faults; {time.monotonic() - started:.0f} s, of processors '
        f'{cpu.ru_utime + cpu.ru_stime:.0f} s')
    return 1 if faults or 'failed' in fates else 0


def _run_pages(found: list[Page], slow: bool, dry: bool) -> list[Result]:
    """Run pages side by side; return their results in order of the pages."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        return [result for results in pool.map(lambda page: run_page(page, slow, dry), found)
                for result in results]
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(_RUNNING):
            _kill(process)
        raise


if __name__ == '__main__':
    sys.exit(main())

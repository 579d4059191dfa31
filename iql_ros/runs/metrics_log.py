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

"""Where the figures of a training run go: metrics.csv, TensorBoard and the terminal."""

from pathlib import Path
import sys
import time

from iql_ros.files import write_atomic

_SHOWN = ('value/loss', 'critic/loss', 'actor/loss')


class MetricsLog:
    """One row a logged step, also after a resume."""

    def __init__(self, folder: Path, columns, step: int):
        """
        Open the files to go on after a step; rows beyond it are dropped, they come again.

        Args:
            folder: The run's.
            columns: Names of all metrics there can be; a row may lack some.
            step: Of the checkpoint that training goes on from, or 0.

        """
        self._columns = ('step', *columns)
        path = folder / 'metrics.csv'
        rows = [','.join(self._columns), *_rows_until(path, len(self._columns), step)]
        write_atomic(path, '\n'.join(rows) + '\n')
        self._file = open(path, 'a', buffering=1)  # a row is out as soon as it is written
        self._board = _tensorboard(folder, step)

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Write a row."""
        values = {'step': step, **metrics}
        cells = [repr(values[name]) if name in values else '' for name in self._columns]
        self._file.write(','.join(cells) + '\n')
        if self._board is not None:
            for name, value in metrics.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _rows_until(path: Path, cells: int, step: int) -> list[str]:
    """Return the whole rows of an earlier metrics.csv up to a step; a kill may cut the last."""
    if not path.exists():
        return []
    rows = path.read_text().rpartition('\n')[0].split('\n')[1:]
    return [row for row in rows if row.count(',') == cells - 1 and int(row.split(',')[0]) <= step]


def _tensorboard(folder: Path, step: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("TensorBoard curves are left out: pip install 'iql_ros[report]'", flush=True)
        return None
    return SummaryWriter(folder, purge_step=step + 1)


class Progress:
    """Steps a second, losses and time left: a bar on a terminal, else a line a logged step."""

    def __init__(self, step: int, total: int, hidden: bool, unit: str = 'updates'):
        """Start at a step of `total` (0: without end); `hidden` shows only what is said."""
        self._total, self._first, self._start = total, step, time.monotonic()
        self._hidden, self._unit = hidden, unit
        self._bar = _bar(step, total, unit) if sys.stderr.isatty() and not hidden else None

    def update(self, step: int, metrics: dict, logged: bool) -> None:
        """Show a step."""
        losses = {name.removesuffix('/loss'): f'{metrics[name]:.4g}'
                  for name in _SHOWN if name in metrics}
        if self._bar is not None:
            self._bar.set_postfix(losses, refresh=False)
            self._bar.update(step - self._bar.n)
        elif logged and not self._hidden:
            rate = (step - self._first) / max(time.monotonic() - self._start, 1e-9)
            words = [f'{step}/{self._total} {self._unit}' if self._total else
                     f'{step} {self._unit}', f'{rate:.0f}/s']
            if losses:
                words.append('loss: ' + ', '.join(' '.join(item) for item in losses.items()))
            if self._total:
                words.append(f'{(self._total - step) / rate:.0f} s left')
            print(', '.join(words), flush=True)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.write(text)
        else:
            print(text, flush=True)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


def _bar(step: int, total: int, unit: str):
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(initial=step, total=total or None, unit=f' {unit}', dynamic_ncols=True)

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

"""The `iql-ros` command: how it runs, and how it ends."""

import contextlib
import os
import sys

from iql_ros.cli.json_output import json_text
from iql_ros.cli.subcommands import make_parser
from iql_ros.files import InputError
from iql_ros.interrupts import end_with_parent


def main(arguments=None) -> int:
    """
    Run the command; return its exit code.

    0, or 1 when `doctor` found something broken, or 2 for input that cannot be used, or 130 for
    Ctrl-C.
    """
    options = make_parser().parse_args(arguments)
    end_with_parent()
    try:
        return _run(options)
    except InputError as error:
        print(f'iql-ros: error: {error}', file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a disk, a folder or a name that the system refuses
        place = f'{error.filename}: ' if error.filename else ''
        print(f'iql-ros: error: {place}{error.strerror or error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('iql-ros: interrupted', file=sys.stderr)
        return 130


def _run(options) -> int:
    """Run a command; with --json its document has standard output for itself."""
    if options.as_json:
        with contextlib.redirect_stdout(sys.stderr):
            document = options.run(options)
        print(json_text(document))
    else:
        document = options.run(options)
    return 0 if document is None or document.get('ok', True) else 1


if __name__ == '__main__':
    sys.exit(main())

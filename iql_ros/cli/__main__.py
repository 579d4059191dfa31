"""`python -m iql_ros.cli`, where the command is not on the path."""

import sys

from iql_ros.cli.cli import main

sys.exit(main())

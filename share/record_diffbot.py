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

"""Record the sample: scripted drivers drive the simulated robot over its topics, in lockstep."""

import sys

from recording import options, record_all, Robot

from iql_ros.files import share_folder
from iql_ros.sim.drivers import RECORDINGS
from iql_ros.sim.envs import DIFFBOT

ROBOT = Robot(share_folder() / 'config' / 'robots' / 'diffbot.yaml', DIFFBOT)

if __name__ == '__main__':
    said = options(__doc__, 'diffbot').parse_args()
    sys.exit(record_all(ROBOT, RECORDINGS, said.output, said.seed))

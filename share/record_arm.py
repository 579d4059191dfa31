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

"""Record the arm: scripted drivers move it over its topics, simulator and driver in lockstep."""

import sys

from recording import options, record_all, Robot

from iql_ros.files import share_folder
from iql_ros.sim.arm_drivers import RECORDINGS
from iql_ros.sim.envs import ARM, ARM_FORWARD

CONFIG = share_folder() / 'config' / 'robots'
ROBOTS = {'trajectory': Robot(CONFIG / 'arm.yaml', ARM),
          'forward': Robot(CONFIG / 'arm_forward.yaml', ARM_FORWARD)}

if __name__ == '__main__':
    parser = options(__doc__, 'arm')
    parser.add_argument('--controller', choices=ROBOTS, default='trajectory')
    said = parser.parse_args()
    sys.exit(record_all(ROBOTS[said.controller], RECORDINGS, said.output, said.seed))

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

"""Where a learner takes experience in: every step of every session once, in order, on disk."""

from iql_ros.online.experience import Experience
from iql_ros.online.experience_log import ExperienceLog


class ExperienceInbox:
    """
    Puts what comes in its turn into the log, and leaves out the rest.

    A sender sends again what is not acknowledged, so what comes before its turn may be dropped.
    """

    def __init__(self, log: ExperienceLog, on_say):
        """Take the log, and `on_say`, told when steps are lost; read `records` before `add`."""
        self._log, self._say = log, on_say
        self._next = {}                  # (robot, session) -> the step that is expected
        self.duplicates, self.early, self.lost = 0, 0, 0

    def records(self):
        """Yield what the log holds, in arrays; where each session stands is known after it."""
        for records in self._log.records():
            for record in records:
                key = record['robot'].decode(), int(record['session'])
                self._next[key] = int(record['step']) + 1
            yield records
        if self._log.damaged:
            self._say(f'{self._log.path}: {self._log.damaged} damaged records are left out')

    def steps(self, robot: str, session: int) -> int:
        """Return the step of a session that is expected next: those before it are on disk."""
        return self._next.get((robot, session), 0)

    def sessions(self) -> dict[str, int]:
        """Return the newest session of every robot."""
        return dict(self._next.keys())  # a later one is newer

    def add(self, experience: Experience):
        """
        Put an experience into the log when it is its turn.

        Returns its record (1,); None for a step that is there already or comes too early.

        Raises:
            OSError: when the disk does not take it; nothing has changed then.

        """
        key = experience.robot, experience.session
        expected = self._next.get(key, experience.oldest_step)
        lost = max(0, experience.oldest_step - expected)
        if experience.step != expected + lost:
            self.duplicates += experience.step < expected
            self.early += experience.step > expected
            return None
        record = self._log.append(experience)
        self._next[key] = experience.step + 1
        if lost:
            self.lost += lost
            self._say(f"robot '{experience.robot}': steps {expected} to {expected + lost - 1} "
                      'are lost: it kept no more')
        return record

    def counts(self) -> dict[str, int]:
        """Return what was left out, by its reason."""
        return {'duplicates': self.duplicates, 'early': self.early, 'lost': self.lost}

    def sync(self) -> None:
        """Let the disk have what was appended, against a power cut."""
        self._log.sync()

    def close(self) -> None:
        """Close the log."""
        self._log.close()

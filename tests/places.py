"""Where the tests find things; what lies in SHARED is not part of the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / 'tests' / 'files'
ROBOTS = FILES / 'robots'
SHARED = ROOT.parent / 'shared'
DATA = SHARED / 'data'
BAGS = DATA / 'bags'

# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.fixtures import *  # noqa: E402,F401,F403
from harness.fixtures import _shared_controlplane  # noqa: E402,F401

# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "blackbox"), str(TESTS / "fakes")]

from harness.fixtures import *  # noqa: E402,F401,F403
from harness.fixtures import _shared_controlplane  # noqa: E402,F401

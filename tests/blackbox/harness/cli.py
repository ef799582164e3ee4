# SPDX-License-Identifier: Apache-2.0
"""What every command line promises when it fails."""
import re

AZCM = re.compile(r"^error: AZCM(\d{4}): ", re.M)


def fails(done, number):
    """The exit status is the number, the message is on standard error, nothing is an answer."""
    assert done.returncode == number, done
    assert [int(n) for n in AZCM.findall(done.stderr)] == [number], done.stderr
    assert done.stdout == ""

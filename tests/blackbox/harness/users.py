# SPDX-License-Identifier: Apache-2.0
"""Acting as another user of the machine, for tests that run as root."""
import os
import pickle

NOBODY = 65534


def as_user(uid, function, *arguments, groups=()):
    """What function returns, called in a child process with this user's rights alone."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups(list(groups))
            os.setgid(groups[0] if groups else uid)
            os.setuid(uid)
            with os.fdopen(write, "wb") as out:
                try:
                    pickle.dump((True, function(*arguments)), out)
                except Exception as error:  # pylint: disable=broad-except
                    pickle.dump((False, repr(error)), out)
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    assert said, f"the child that acts as user {uid} said nothing"
    well, result = pickle.loads(said)
    if not well:
        raise AssertionError(f"as user {uid}: {result}")
    return result

# SPDX-License-Identifier: Apache-2.0
"""Every route that is served, as the servers' own tables list them (tests/fakes/route_list.c): a
test that walks these forgets none."""
import collections
import re
import subprocess

from .wire import built_program

METHODS = ("GET", "PUT", "PATCH", "POST", "DELETE")

# door: controlplane, himds, himds.sock or roles.sock. who: what a token must be for (public, arm,
# service, ingestion, query), or whom a local door serves (public, program, administrator, role).
Route = collections.namedtuple("Route", "door method pattern who")


def of(door):
    """The door's routes; one that takes every method is there once for each."""
    listed = subprocess.run([built_program("route_list")], capture_output=True, text=True, check=True)
    found = []
    for line in listed.stdout.splitlines():
        route = Route(*line.split("\t"))
        if route.door == door:
            found += [route._replace(method=method)
                      for method in (METHODS if route.method == "ANY" else (route.method,))]
    assert found, f"no routes at {door}"
    return found


def path(route, names):
    """The pattern with names in the place of {names}, "x" for those that are not given."""
    return re.sub(r"\{(\w+)(?:\.\.\.)?\}", lambda found: names.get(found.group(1), "x"),
                  route.pattern)

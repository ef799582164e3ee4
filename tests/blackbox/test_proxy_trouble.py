# SPDX-License-Identifier: Apache-2.0
"""A running machine whose proxy comes into trouble: every path waits, and what it says names the
proxy and what is wrong; check says the same; all go on, without a restart, when it is mended."""
import json
import re

import pytest
from harness.extensions import Hostile
from harness.far import (FAR, PASSWORD, USER, PATHS, authority, box, intercepting,  # noqa: F401
                         journey, serving_far, squid)
from harness.fixtures import Space
from harness.process import wait_for
from harness.wire import Authority, ScriptServer, answer_bytes

NETWORK = 26
AUDIENCE = "https://api.loganalytics.io"

# what: (options of the squid, or how to make them; what is done to it; what is said)
TROUBLES = {
    "a password wanted": ({"users": {USER: PASSWORD}}, None, "wants a user name and password (407)"),
    "down": ({}, lambda proxy: proxy.stop(), "connect to localhost port"),
    "not allowed": ({"deny": [FAR, "pkg.test"]}, None, "does not connect to it: it answers 403"),
    "intercepting": (intercepting, None, "if it intercepts TLS, its CA belongs into proxy.caFile"),
}
in_trouble = pytest.mark.parametrize("what", TROUBLES)


@pytest.fixture(scope="module")
def far():
    """Beats every two seconds."""
    with serving_far(heartbeatSeconds=2) as server:
        yield server


def troubled(what, squid, authority, far, **more):
    """A proxy in this trouble, and the words that tell it."""
    options, spoil, words = TROUBLES[what]
    proxy = squid(**{**(options(authority, far) if callable(options) else options), **more})
    if spoil:
        spoil(proxy)
    return proxy, words


class Roles:
    """What the roles' logs say from now on."""

    def __init__(self, box):
        self.logs = {role: process.log_text for role, process in box.roles.items()}
        self.begun = {role: len(text()) for role, text in self.logs.items()}

    def wait_said(self, role, event, *words):
        def said():
            lines = self.logs[role]()[self.begun[role]:].splitlines()
            return [line for line in lines if re.search(event, line) and all(w in line for w in words)]
        wait_for(said, 60, f"{role} to say {event} {words}")


@in_trouble
def test_every_path_names_the_trouble_and_goes_on_after_it(box, far, squid, authority, what):
    good = squid()
    box.use(good)
    lab, site, log = journey(box, far, f"t{list(TROUBLES).index(what)}")
    bad, words = troubled(what, squid, authority, far)
    named = f"proxy {bad.url} (proxy.url)"
    said = Roles(box)
    box.use(bad)
    good.stop()
    # Work for each path.
    more = f"{lab.type}More"
    lab.publish(type_name=more)
    lab.put("more", type_name=more)
    with log.open("a", encoding="utf-8") as f:
        f.write("another row\n")
    box.restart_role("extensions")
    answer = box.token_answer(AUDIENCE)
    assert answer.status == 503 and named in answer.json["error_description"]
    assert words in answer.json["error_description"]
    said.wait_said("identity", r"(heartbeat|discovery)\.failed", named, words)
    said.wait_said("identity", r"token\.failed", named, words)
    said.wait_said("extensions", r"sync\.failed", named, words)
    said.wait_said("logs", r"logs\.flow_waits", named, words)
    status = wait_for(lambda: (box.admin("GET", "/status").json.get("errorDetails") or "") and
                      box.admin("GET", "/status").json, 60, "the status to say why")
    assert named in status["errorDetails"] and words in status["errorDetails"]
    refused = box.mooring("cloud", "register", "Second", far.far_endpoint, "--ca-file", far.ca_file,
                          check=False)
    assert refused.returncode != 0 and named in refused.stderr and words in refused.stderr
    checked = box.mooring("check", "-j", check=False)
    found = json.loads(checked.stdout)["endpoints"]
    assert checked.returncode == NETWORK and found
    assert all(named in e["error"] and words in e["error"] for e in found)
    # Mended; every request is to be seen.
    well = squid(users={USER: PASSWORD}, **intercepting(authority, far))
    box.use(well, authority, PASSWORD)
    wait_for(lambda: box.token_answer(AUDIENCE).status == 200, 60, "a token")
    assert lab.settled("more")[0] == "Succeeded"
    wait_for(lambda: site.rows(f"{site.table} | count") == [[2]], 90, "the row to arrive")
    wait_for(lambda: box.admin("GET", "/status").json["status"] == "Connected", 60, "a heartbeat")
    unseen = set(PATHS) - {"connect", "certificate"}  # it has both

    def all_seen():
        lines = [f"{e.method} {e.url}" for e in well.entries()]
        return all(any(re.match(PATHS[p], s) for s in lines) for p in unseen)
    wait_for(all_seen, 60, f"{unseen} in the proxy's log")


@pytest.fixture(scope="module")
def lab():
    """A machine whose service is on this side of the proxy."""
    with Space() as space:
        lab = Hostile(space, "waits")
        try:
            yield lab
        finally:
            lab.close()


@in_trouble
def test_a_package_waits_for_its_proxy(lab, workspace, squid, authority, what):
    """Only its host is behind the proxy, and the service says to fetch it."""
    other = Authority(workspace.path / "other")
    lab.ca_file = other.file  # what an intercepting proxy trusts behind it
    version, name = f"1.{list(TROUBLES).index(what)}.0", f"e{list(TROUBLES).index(what)}"
    data = lab.package(version=version)
    lab.publish(data, version=version)
    with ScriptServer({"/x.zip": answer_bytes(200, data)}, tls=other.issue("pkg", dns=["pkg.test"])) as host:
        behind = {"hosts": {"pkg.test": "127.0.0.1"}}
        bad, words = troubled(what, squid, authority, lab, **behind)
        settings = {"proxy__bypass": ["localhost"], "proxy__caFile": other.file}
        lab.local_config(proxy__url=bad.url, **settings)
        said = Roles(lab.machine)
        lab.clear()
        lab.offer(name, data, uris=[f"https://pkg.test:{host.port}/x.zip"])
        lab.put(name, version=version[:3])
        said.wait_said("extensions", r"package\.retry", f"proxy {bad.url} (proxy.url)", words)
        assert not host.asked
        well = squid(**{**intercepting(authority, lab), **behind})
        lab.local_config(proxy__url=well.url, **{**settings, "proxy__caFile": authority.file})
        assert lab.settled(name, timeout=120)[0] == "Succeeded"
        assert len(host.asked) == 1

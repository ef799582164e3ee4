# SPDX-License-Identifier: Apache-2.0
"""Every outgoing path through Debian's squid. The control plane has a name that only squid knows:
nothing but the proxy leads there, and its access log says what passed."""
import base64
import json
import re
import urllib.parse

import pytest
from harness.extensions import Hostile, Lab
from harness.far import (FAR, PASSWORD, PATHS, USER, authority, box, far, intercepting,  # noqa: F401
                         journey, squid)
from harness.process import wait_for
from harness.wire import Authority, ScriptServer, answer_bytes
from log_machine import LogMachine, append

NETWORK = 26


def secrets(text):
    """Every form in which the password could stand in a text."""
    forms = [PASSWORD, urllib.parse.quote(PASSWORD), json.dumps(PASSWORD)[1:-1],
             base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()]
    return [f for f in forms if f in text]


def assert_unseen(box, *outputs):
    """The password is in no output, log or file but its own."""
    texts = list(outputs) + [box.mooring("show").stdout, box.mooring("show", "-j").stdout,
                             box.mooring("config", "list").stdout]
    places = [*box.workspace.logs.glob("*.log"), *box.root.rglob("*")]
    texts += [p.read_text(errors="replace") for p in places
              if p.is_file() and "moor-squid" not in p.name]
    assert not [s for t in texts for s in secrets(t)]


# Every path.

def test_every_path_goes_through_a_proxy_that_intercepts(box, far, squid, authority):
    """With its CA trusted, and a password; the log then shows every request."""
    proxy = squid(users={USER: PASSWORD}, **intercepting(authority, far))
    box.use(proxy, authority, PASSWORD)
    journey(box, far, "through")
    assert_unseen(box)
    box.stop()
    proxy.stop()
    seen = [f"{e.method} {e.url}" for e in proxy.entries()]
    missing = [name for name, pattern in PATHS.items() if not any(re.match(pattern, s) for s in seen)]
    assert not missing, seen
    assert {e.user for e in proxy.entries() if e.method == "CONNECT"} == {USER}


def test_every_path_goes_through_a_tls_proxy(box, far, squid, authority):
    proxy = squid(users={USER: PASSWORD}, tls=authority.issue("tls-proxy"))
    box.use(proxy, authority, PASSWORD)
    journey(box, far, "tls")
    box.stop()
    proxy.stop()
    tunnels = [e for e in proxy.entries() if e.method == "CONNECT" and e.status == 200]
    assert len(tunnels) >= 4, "the command line, identity, fetch and logs"
    assert {(e.url, e.user) for e in tunnels} == {(urllib.parse.urlsplit(far.far_endpoint).netloc, USER)}


def test_the_environment_names_a_proxy(box, far, squid):
    proxy = squid(users={USER: PASSWORD})
    secret = urllib.parse.quote(PASSWORD, safe="")
    env = {"HTTPS_PROXY": f"http://{USER}:{secret}@127.0.0.1:{proxy.port}", "no_proxy": "other.test"}
    box.env.update(env)
    box.start("identity")
    box.join(far, "environment")
    assert_unseen(box)
    box.env["no_proxy"] = FAR
    refused = box.mooring("cloud", "register", "Direct", far.far_endpoint, "--ca-file", far.ca_file,
                          check=False)
    assert refused.returncode == NETWORK and FAR in refused.stderr and "proxy" not in refused.stderr
    wait_for(lambda: [e for e in proxy.entries() if e.user == USER], 30, "the tunnel's line")


# Refusals.

def test_a_wrong_password_is_told_once_and_clearly(box, far, squid):
    proxy = squid(users={USER: PASSWORD})
    box.use(proxy, password="canary-wrong")
    refused = box.register(far, check=False)
    assert refused.returncode == NETWORK
    assert f"proxy {proxy.url} (proxy.url) refuses" in refused.stderr
    assert "proxy.credentialsFile (407)" in refused.stderr and "canary" not in refused.stderr
    assert [e.status for e in proxy.entries()] == [407]


@pytest.mark.parametrize("how", ["none", "missing", "readable by others", "no colon"])
def test_a_missing_password_is_told_with_its_setting(box, far, squid, how):
    proxy = squid(users={USER: PASSWORD})
    path = box.workspace.path / "credentials"
    if how != "none":
        path.write_text("canary" if how == "no colon" else f"{USER}:{PASSWORD}")
        path.chmod(0o644 if how == "readable by others" else 0o600)
    if how == "missing":
        path.unlink()
    box.settings(proxy__url=proxy.url, **({} if how == "none" else {"proxy__credentialsFile": str(path)}))
    refused = box.register(far, check=False)
    assert refused.returncode == NETWORK
    assert "wants a user name and password (407): proxy.credentialsFile" in refused.stderr
    assert "canary" not in refused.stderr and (how == "none" or str(path) in refused.stderr)
    assert [e.status for e in proxy.entries()] == [407]


def test_a_role_whose_password_is_refused_waits_and_takes_the_new_one(box, far, squid):
    proxy = squid(users={USER: PASSWORD})
    box.use(proxy, password=PASSWORD)
    box.start("identity")
    box.join(far, "refused")
    begun = len(proxy.entries())
    box.use(proxy, password="wrong")
    answer = box.token_answer(far.service_audience + "/other")
    assert answer.status in (403, 503), answer
    answer = box.token_answer(far.arm_audience)
    assert answer.status == 503 and "407" in str(answer.json) and proxy.url in str(answer.json)
    assert len([e for e in proxy.entries()[begun:] if e.status == 407]) <= 4
    box.use(proxy, password=PASSWORD)
    wait_for(lambda: box.token_answer(far.arm_audience).status == 200, 30, "a token")


def test_a_proxy_that_is_down_is_named(box, far, squid):
    proxy = squid()
    box.use(proxy)
    proxy.stop()
    refused = box.register(far, check=False)
    assert refused.returncode == NETWORK
    assert f"proxy {proxy.url} (proxy.url): " in refused.stderr and "connect" in refused.stderr


def test_a_proxy_that_does_not_connect_is_named(box, far, squid):
    proxy = squid(deny=[FAR])
    box.use(proxy)
    refused = box.register(far, check=False)
    assert refused.returncode == NETWORK
    assert f"proxy {proxy.url} (proxy.url) does not connect to it: it answers 403" in refused.stderr
    assert [e.status for e in proxy.entries()] == [403]


def test_interception_without_its_ca_is_refused_and_told(box, far, squid, authority):
    proxy = squid(**intercepting(authority, far))
    box.use(proxy)
    refused = box.register(far, check=False)
    assert refused.returncode != 0
    assert "if it intercepts TLS, its CA belongs into proxy.caFile" in refused.stderr
    assert not [e for e in proxy.entries() if e.method == "GET"], "a request went to the interceptor"


def test_a_tls_proxy_must_show_its_certificate(box, far, squid, authority):
    proxy = squid(users={USER: PASSWORD}, tls=authority.issue("other-name", dns=["other.test"], ips=[]))
    box.use(proxy, authority, PASSWORD)
    refused = box.register(far, check=False)
    assert refused.returncode == NETWORK and f"proxy {proxy.url} (proxy.url): " in refused.stderr
    assert "hostname mismatch" in refused.stderr and not proxy.entries()


# Ways around, and changes.

@pytest.mark.parametrize("bypass", [["AAD", "ARM", "Arc", "AMA"], ["localhost"]])
def test_what_is_bypassed_does_not_reach_the_proxy(box, controlplane, squid, bypass, unique):
    """On any path. With groups, whose hosts the cloud's document tells, after it is registered."""
    proxy = squid()
    box.register_cloud(controlplane)
    box.use(proxy, proxy__bypass=bypass)
    journey(box, controlplane, unique)
    box.stop()
    proxy.stop()
    assert not proxy.entries()


def test_a_changed_proxy_is_taken_without_a_restart(box, far, squid):
    first, second = squid(), squid()
    box.use(first)
    box.start("identity", "extensions")
    box.join(far, "changing")
    pids = {role: p.pid for role, p in box.roles.items() if p.running}
    box.use(second)
    first.stop()
    wait_for(lambda: box.token_answer(far.arm_audience).status == 200, 30, "a token")
    lab = Lab(box, far, box.workspace.path, "changing")
    lab.publish()
    assert lab.put_and_settle()[0] == "Succeeded"
    assert pids == {role: p.pid for role, p in box.roles.items() if p.running}
    box.stop()
    second.stop()
    assert len(second.entries()) >= 2


def test_the_log_role_takes_a_changed_proxy(workspace, squid):
    first, second = squid(), squid()
    box = LogMachine(workspace).connect()
    config = box.root / "var/opt/azcmagent/localconfig.json"

    def use(proxy):
        config.with_suffix(".new").write_text(json.dumps({"schema": 1, "proxy.url": proxy.url}))
        config.with_suffix(".new").rename(config)
    use(first)
    box.rule(box.log())
    append(box.log(), "one")
    box.start()
    try:
        box.endpoint.wait_lines(1)
        use(second)
        first.stop()
        append(box.log(), "two")
        wait_for(lambda: "two" in box.endpoint.lines(), 60, "the second row")
    finally:
        box.close()
    second.stop()
    assert first.entries() and second.entries()


def test_a_package_of_another_host_comes_without_the_token(workspace, unique, squid, authority, far):
    """Only the intercepting proxy lets a test on one machine offer a host that is not local."""
    other = Authority(workspace.path / "other")
    lab = Hostile(workspace, unique)
    data = lab.package()
    lab.publish(data)
    with ScriptServer({"/x.zip": answer_bytes(200, data)}, tls=other.issue("pkg", dns=["pkg.test"])) as host:
        proxy = squid(hosts={"pkg.test": "127.0.0.1"}, **{**intercepting(authority, far),
                                                          "upstream_ca": other.file})
        lab.local_config(proxy__url=proxy.url, proxy__caFile=authority.file, proxy__bypass=["localhost"])
        lab.offer("ext", data, uris=[f"https://pkg.test:{host.port}/x.zip?sig=canary"])
        assert lab.put_and_settle()[0] == "Succeeded"
        asked, = host.asked
        lab.close()
    assert asked.target == "/x.zip?sig=canary" and "authorization" not in asked.headers
    own = [r for r in lab.proxy.requests if "/desiredState" in str(r)]
    assert own, "what is bypassed went directly"
    assert not [p for p in workspace.logs.glob("machine-*.log") if "canary" in p.read_text()]


# What check says.

def checked(box, *arguments):
    done = box.mooring("check", "-j", *arguments, check=False)
    return done.returncode, {e["name"]: e for e in json.loads(done.stdout)["endpoints"]}, done.stderr


def test_check_names_the_proxy_and_who_goes_around_it(box, controlplane, squid):
    proxy = squid()
    box.register_cloud(controlplane)
    status, found, _ = checked(box)
    assert status == 0 and {e["proxy"] for e in found.values()} == {"not used"}
    box.use(proxy)
    status, found, _ = checked(box)
    assert status == 0 and {(e["proxy"], e["proxyUrl"]) for e in found.values()} == {("set", proxy.url)}
    assert not any(e["intercepted"] for e in found.values())
    box.use(proxy, proxy__bypass=["AAD"])
    status, found, _ = checked(box)
    assert status == 0 and {e["proxy"] for e in found.values()} == {"bypassed"}, "one host serves all"


CHECKS = {
    "down": (lambda proxy: proxy.stop(), {}, "connect to localhost port"),
    "a password wanted": (None, {"users": {USER: PASSWORD}}, "wants a user name and password (407)"),
    "not allowed": (None, {"deny": [FAR]}, "does not connect to it: it answers 403"),
}


@pytest.mark.parametrize("what", CHECKS)
def test_check_names_what_the_proxy_does_not_do(box, far, squid, what):
    spoil, options, words = CHECKS[what]
    open_proxy, proxy = squid(), squid(**options)
    box.use(open_proxy)
    box.register(far)
    box.use(proxy)
    if spoil:
        spoil(proxy)
    status, found, _ = checked(box)
    assert status == NETWORK
    for endpoint in found.values():
        assert f"proxy {proxy.url} (proxy.url)" in endpoint["error"] and words in endpoint["error"]
        assert not endpoint["reachable"] and endpoint["reached"] == "none"


def test_check_sends_no_password_to_a_proxy_it_cannot_verify(box, far, squid, authority):
    plain = squid()
    proxy = squid(users={USER: PASSWORD}, tls=authority.issue("elsewhere", dns=["other.test"], ips=[]))
    box.use(plain)
    box.register(far)
    box.use(proxy, authority, PASSWORD)
    status, found, _ = checked(box)
    assert status == NETWORK and not proxy.entries()
    assert all("hostname mismatch" in e["error"] for e in found.values())


def test_check_tells_an_interceptor(box, far, squid, authority):
    plain, proxy = squid(), squid(**intercepting(authority, far))
    box.use(plain)
    box.register(far)
    box.use(proxy)
    status, found, _ = checked(box)
    assert status == NETWORK
    assert all("if it intercepts TLS" in e["error"] and e["reached"] == "tls" for e in found.values())
    box.use(proxy, authority)
    status, found, _ = checked(box)
    assert status == 0 and all(e["intercepted"] and e["reachable"] for e in found.values())
    text = box.mooring("check").stderr
    assert f"the proxy {proxy.url} intercepts TLS; its CA is trusted" in text

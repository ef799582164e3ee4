# SPDX-License-Identifier: Apache-2.0
"""A control plane that only a proxy leads to, and a machine that must go through it. Whoever uses
the fixtures imports them by name."""
import contextlib

import pytest
from cryptography.hazmat.primitives import serialization
from log_site import LogSite

from .controlplane import ControlPlane
from .extensions import Lab
from .fixtures import Space
from .machine import CLOUD, Machine
from .process import wait_for
from .squid import Squid
from .wire import Authority

FAR = "cp.moor.test"
USER, PASSWORD = "agent", "canary-7F:ü @%"

# Every outgoing path, as it stands in the log of a proxy that looks inside.
PATHS = {
    "sign-in": r"POST .*/oauth2/", "connect": r"PUT .*/Microsoft.HybridCompute/machines/",
    "certificate": r"POST .*/his/machines/[^/]+/certificate",
    "heartbeat": r"POST .*/his/machines/[^/]+/heartbeat",
    "notification": r"GET .*/notify/machines/[^/]+/wait", "desired state": r"GET .*/desiredState",
    "package": r"GET .*/packages/", "report": r"PUT .*/report", "logs": r"POST .*/dataCollectionRules/",
}


class FarControlPlane(ControlPlane):
    """Known to agents as https://cp.moor.test; this side of the proxy it is localhost."""

    @property
    def endpoint(self):
        return self.info["endpoint"].rstrip("/").replace(FAR, "localhost")

    @property
    def far_endpoint(self):
        return self.info["endpoint"].rstrip("/")

    def request(self, method, path, body=None, headers=None, **options):
        return super().request(method, path.replace(FAR, "localhost"), body, headers, **options)

    @property
    def arm_audience(self):
        return self.far_endpoint + "/"


@contextlib.contextmanager
def serving_far(**rules):
    """A control plane behind the proxy, with other rules in its config.json."""
    with Space() as space:
        server = FarControlPlane(space)
        server.cli("init", "--host", FAR, "--host", "localhost")
        server.rule(**rules)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def far():
    with serving_far() as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("proxy-ca"), "Proxy CA")


@pytest.fixture
def squid(workspace):
    """Starts squids that know the control plane's name."""
    started = []

    def start(**options):
        proxy = Squid(workspace, **{"hosts": {FAR: "127.0.0.1"}, **options})
        started.append(proxy)
        return proxy.__enter__()
    yield start
    for proxy in started:
        proxy.__exit__()


def intercepting(authority, far):
    """Options of a squid that intercepts with the authority's own key."""
    key = authority._write("bump.key", authority.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return {"bump": (authority.file, key), "upstream_ca": far.ca_file}


@pytest.fixture
def box(workspace):
    """A machine whose roles do not run yet, with settings() and connect_far()."""
    made = ProxiedMachine(workspace)
    yield made
    made.stop()


class ProxiedMachine(Machine):
    def use(self, proxy, authority=None, password=None, **more):
        """The settings that lead through this squid."""
        values = {"proxy__url": proxy.url, **more}
        if authority:
            values["proxy__caFile"] = authority.file
        if password is not None:
            path = self.workspace.path / "credentials"
            path.write_text(f"{USER}:{password}\n")
            path.chmod(0o600)
            values["proxy__credentialsFile"] = str(path)
        self.settings(**values)

    def register(self, far, check=True, env=None):
        return self.mooring("cloud", "register", CLOUD, far.far_endpoint, "--ca-file",
                            far.ca_file, check=check, env=env)

    def join(self, far, name="proxied", check=True, env=None):
        if not self.path(f"/etc/mooring/clouds.d/{CLOUD}.json").exists():
            self.register(far, env=env)
        self.env.update(env or {})
        return self.connect(far, resource_name=name, check=check)


def journey(box, far, name):
    """connect, heartbeat, token, package, notification, logs. What they went to: the extension's
    lab, the rows' site, the log."""
    box.start()
    box.join(far, name)
    assert box.token(far.arm_audience)
    lab = Lab(box, far, box.workspace.path, name)
    lab.publish()
    lab.put()
    log = box.workspace.path / "app.log"
    log.write_text("one row\n")
    site = LogSite(far, name)
    sources = {"logFiles": [{"name": "files", "streams": [site.stream], "format": "text",
                             "filePatterns": [str(log)]}]}
    site.put_rule(dataSources=sources)
    assert site.associate(box.resource_id).status in (200, 201)
    assert lab.settled()[0] == "Succeeded"
    wait_for(lambda: site.rows(f"{site.table} | count") == [[1]], 60, "the row to arrive")
    return lab, site, log

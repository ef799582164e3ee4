# SPDX-License-Identifier: Apache-2.0
"""The fault proxy of tests/fakes does what its script says, in front of a real control plane."""
import http.client
import ssl
import time
import urllib.parse

import pytest

import fault_proxy as faults
from harness import web

PATH = "/metadata/endpoints?api-version=2022-09-01"


@pytest.fixture
def proxy(controlplane):
    port = urllib.parse.urlsplit(controlplane.endpoint).port
    tls = (controlplane.state / "tls/server.pem", controlplane.state / "tls/server.key")
    with faults.FaultProxy(("127.0.0.1", port), tls=tls) as proxy:
        proxy.get = lambda path=PATH, **options: web.request(
            "GET", proxy.url + path, ca_file=controlplane.ca_file, **{"timeout": 5, **options})
        yield proxy


def test_without_faults_it_only_passes_on(proxy, controlplane):
    answer = proxy.get()
    assert answer.status == 200 and answer.json == controlplane.request("GET", PATH).json
    assert proxy.count("/metadata") == 1


def test_a_fault_hits_so_many_requests(proxy):
    rule = proxy.fault("/metadata", faults.status(500), times=2)
    assert [proxy.get().status for _ in range(3)] == [500, 500, 200]
    assert rule.hits == 2
    proxy.fault("/nowhere", faults.status(500))
    assert proxy.get().status == 200
    proxy.wait_for("/metadata", count=4, timeout=1)
    with pytest.raises(TimeoutError):
        proxy.wait_for("/metadata", count=5, timeout=0.1)


@pytest.mark.parametrize("fault,error", [
    (faults.close(), http.client.HTTPException), (faults.lose_reply(), http.client.HTTPException),
    (faults.cut(5), http.client.IncompleteRead), (faults.raw(b"xx\r\n\r\n"), http.client.BadStatusLine)])
def test_broken_connections_look_broken(proxy, fault, error):
    proxy.fault("/metadata", fault, times=1)
    with pytest.raises(error):
        proxy.get()
    assert proxy.get().status == 200


def test_no_answer_is_no_answer(proxy):
    proxy.fault("/metadata", faults.hang(), times=1)
    with pytest.raises((TimeoutError, ssl.SSLError)):
        proxy.get(timeout=0.5)


def test_answers_can_be_changed_and_late(proxy):
    proxy.fault("/metadata", faults.garbage(), times=1)
    with pytest.raises(ValueError):
        assert proxy.get().json
    good = proxy.get().body
    proxy.fault("/metadata", faults.corrupt(10), times=1)
    bad = proxy.get().body
    assert bad != good and bad[:10] == good[:10] and bad[11:] == good[11:]
    proxy.fault("/metadata", faults.delay(0.3), times=1)
    start = time.monotonic()
    assert proxy.get().body == good and time.monotonic() - start >= 0.3
    proxy.fault("/metadata", faults.service_error(429, "TooManyRequests", {"Retry-After": "7"}), times=1)
    answer = proxy.get()
    assert (answer.status, answer.error_code, answer.headers["Retry-After"]) == (429, "TooManyRequests", "7")

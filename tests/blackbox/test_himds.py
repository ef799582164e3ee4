# SPDX-License-Identifier: Apache-2.0
"""The local identity endpoint, line by line of docs/protocol/himds.md."""
import base64
import collections
import concurrent.futures
import http.client
import json
import os
import pathlib
import socket
import stat
import time
import urllib.parse

import pytest
from harness import web
from harness.machine import Machine
from harness.process import wait_for
from harness.users import NOBODY, as_user

VERSIONS = ["2021-02-01", "2020-06-01", "2019-11-01", "2019-08-15"]
VAULT = "https://vault.example.com"


def token_path(resource=VAULT, version="2020-06-01", **more):
    query = urllib.parse.urlencode({"api-version": version, "resource": resource, **more})
    return f"/metadata/identity/oauth2/token?{query}"


def realm(answer):
    assert answer.status == 401, answer
    scheme, path = answer.headers["WWW-Authenticate"].split("=")  # as strict as the SDKs
    assert scheme == "Basic realm"
    return pathlib.Path(path)


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


# Who is turned away


@pytest.mark.parametrize("host", ["example.com", "example.com:{port}", "localhost", "127.0.0.1",
                                  "127.0.0.2:{port}", "localhost:1", "localhost.:{port}",
                                  "himds:{port}", "[::2]:{port}", "0x7f.1:{port}"])
def test_names_made_to_point_here_are_refused(box, host):
    port = urllib.parse.urlsplit(box.himds).port
    answer = box.himds_get("/agentstatus", {"Host": host.format(port=port)})
    assert answer.status in (400, 403), answer
    if answer.status == 403:
        assert answer.json["error"] == "invalid_host"


@pytest.mark.parametrize("host", ["localhost:{port}", "LOCALHOST:{port}", "127.0.0.1:{port}",
                                  "[::1]:{port}"])
def test_own_names_are_served(box, host):
    port = urllib.parse.urlsplit(box.himds).port
    assert box.himds_get("/agentstatus", {"Host": host.format(port=port)}).status == 200


@pytest.mark.parametrize("header", ["Origin", "Referer", "X-Forwarded-For", "X-Forwarded-Host",
                                    "X-Forwarded-Proto", "Forwarded", "Via", "x-forwarded-port"])
def test_browsers_and_proxies_are_refused(box, header):
    for path in ("/agentstatus", "/metadata/instance?api-version=2019-11-01", "/nothing"):
        answer = box.himds_get(path, {"Metadata": "true", header: "x"})
        assert answer.status == 403 and answer.json["error"] == "forbidden", answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD"])
def test_only_get_is_allowed(box, method):
    for path in (token_path(), "/metadata/instance", "/agentstatus"):
        answer = web.request(method, box.himds + path, headers={"Metadata": "true"})
        assert answer.status == 405 and answer.headers["Allow"] == "GET", answer


def test_ipv6_loopback_is_served_too(box):
    port = urllib.parse.urlsplit(box.himds).port
    try:
        socket.create_connection(("::1", port), 5).close()
    except OSError as error:
        if "himds.no_ipv6" in box.roles["identity"].log_text():
            pytest.skip(f"no IPv6 loopback here: {error}")
        raise
    assert web.request("GET", f"http://[::1]:{port}/agentstatus").status == 200


def test_other_addresses_are_not_listened_on(box):
    port = urllib.parse.urlsplit(box.himds).port
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", port), 2)


# Rules of /metadata


@pytest.mark.parametrize("value", [None, "false", "True ;", "1", ""])
def test_metadata_header_is_required(box, value):
    headers = {} if value is None else {"Metadata": value}
    answer = box.himds_get(token_path(), headers)
    assert answer.status == 400 and answer.json["error"] == "invalid_request", answer
    assert answer.json["error_description"] == "Required metadata header not specified"


def test_missing_version_names_the_supported_ones(box):
    for path in ("/metadata/identity/oauth2/token?resource=x", "/metadata/instance"):
        answer = box.himds_get(path)
        assert answer.status == 400, answer
        text = answer.json["error_description"]
        assert text.startswith("The api-version not specified. ")
        assert text.split("Supported are ")[1].split(", ") == VERSIONS


def test_unknown_version_names_the_supported_ones(box):
    answer = box.himds_get(token_path(version="2018-02-01"))
    assert answer.status == 400 and "Supported are " in answer.json["error_description"]


def test_machine_that_is_not_connected_answers_503(box):
    for path in (token_path(), "/metadata/instance?api-version=2019-11-01",
                 "/metadata/instance/compute?api-version=2021-02-01"):
        assert box.himds_get(path).status == 503


def test_agentstatus_needs_no_header(box):
    answer = box.himds_get("/agentstatus", {})
    assert answer.status == 200 and answer.json["status"] == "Disconnected"


def test_unknown_path_is_404_in_our_shape(box):
    answer = box.himds_get("/metadata/nothing?api-version=2020-06-01")
    assert answer.status == 404 and set(answer.json) == {"error", "error_description"}


# Tokens


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_gives_tokens(served, version):
    answer = served.token_answer(VAULT, version)
    assert answer.status == 200, answer
    assert set(answer.json) == {"access_token", "refresh_token", "expires_in", "expires_on",
                                "not_before", "resource", "token_type"}
    assert all(isinstance(value, str) for value in answer.json.values())
    assert answer.json["token_type"] == "Bearer" and answer.json["resource"] == VAULT
    now = time.time()
    assert now < int(answer.json["expires_on"]) <= now + 27 * 3600
    assert abs(int(answer.json["expires_on"]) - now - int(answer.json["expires_in"])) < 5
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/metadata/identity", "/identity/oauth2/token", "/identity"])
def test_short_paths_give_the_same_challenge(served, path):
    answer = served.himds_get(f"{path}?api-version=2020-06-01&resource={VAULT}")
    assert realm(answer).read_text()


def test_token_speaks_for_the_machine(served, controlplane):
    token = claims(served.token(VAULT))
    resource = controlplane.arm("GET", served.resource_id).json
    assert token["aud"] == VAULT
    assert token["oid"] == resource["identity"]["principalId"]
    assert token["tid"] == controlplane.tenant


def test_key_file_is_what_sdks_demand(served):
    path = realm(served.himds_get(token_path()))
    assert path.parent == served.state / "tokens" and path.suffix == ".key"
    status = path.lstat()
    assert stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o640
    assert 0 < status.st_size <= 4096
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_key_is_good_for_one_answer(served):
    path = realm(served.himds_get(token_path()))
    headers = {"Metadata": "true", "Authorization": f"Basic {path.read_text()}"}
    assert served.himds_get(token_path(), headers).status == 200
    assert not path.exists()
    assert realm(served.himds_get(token_path(), headers)) != path


@pytest.mark.parametrize("authorization", ["Basic", "Basic ", "Basic AAAA", "Bearer {key}",
                                           "Basic {key}x", "basic{key}", "{key}"])
def test_wrong_keys_get_another_challenge(served, authorization):
    key = realm(served.himds_get(token_path())).read_text()
    answer = served.himds_get(token_path(), {"Metadata": "true",
                                             "Authorization": authorization.format(key=key)})
    assert answer.status == 401 and b"access_token" not in answer.body


def test_files_of_an_earlier_run_are_gone_after_a_start(workspace):
    machine = Machine(workspace)
    folder = machine.state / "tokens"
    folder.mkdir(parents=True)
    (folder / "old.key").write_text("x")
    machine.start("identity")
    try:
        assert not (folder / "old.key").exists()
    finally:
        machine.stop()


@pytest.mark.parametrize("selector", ["client_id", "object_id", "msi_res_id"])
def test_selectors_of_user_assigned_identities_are_refused(served, selector):
    answer = served.himds_get(token_path(**{selector: "x"}))
    assert answer.status == 404 and answer.json["error"] == "identity_not_found", answer


@pytest.mark.parametrize("resource", ["", "a b", "x" * 1025, "a\tb", "caf\u00e9"])
def test_bad_resources_are_refused(served, resource):
    answer = served.himds_get(token_path(resource))
    assert answer.status == 400 and answer.json["error"] == "invalid_request", answer


def test_own_service_audience_is_refused_to_everybody(served, controlplane):
    own = controlplane.service_audience
    for spelling in (own, own + "/", own + "//", own.upper(), own + "/.default", own + "/x"):
        answer = served.token_answer(spelling)
        assert answer.status == 403, answer
        assert "service audience" in answer.json["error_description"]


def test_cached_token_is_given_again_and_bypass_cache_fetches(served):
    first = served.token("https://cache.example.com")
    assert served.token("https://cache.example.com") == first

    def fetched():
        path = token_path("https://cache.example.com", bypass_cache="true")
        key = realm(served.himds_get(path)).read_text()
        answer = served.himds_get(path, {"Metadata": "true", "Authorization": f"Basic {key}"})
        assert answer.status == 200, answer
        return answer.json["access_token"]
    wait_for(lambda: fetched() != first, 10, "another token")  # two of one second may be equal


def test_many_callers_at_once_are_all_served(served):
    def one(number):
        return served.token_answer(f"https://crowd{number % 3}.example.com").status
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(one, range(64))) == {200}


# Instance metadata


def test_instance_document_is_what_clients_read(served, controlplane):
    answer = served.himds_get("/metadata/instance?api-version=2020-06-01")
    assert answer.status == 200 and answer.json["network"] == {}
    compute = answer.json["compute"]
    config = served.config
    assert compute["resourceId"] == config["resourceId"]
    assert compute["subscriptionId"] == controlplane.subscription
    assert compute["resourceGroupName"] == config["resourceGroup"]
    assert compute["location"] == config["location"] and compute["vmId"] == config["vmId"]
    assert compute["name"] == config["resourceName"] and compute["osType"] == "linux"
    assert compute["azEnvironment"] == config["cloud"]
    assert compute["tags"] == "" and compute["tagsList"] == []
    for name in ("zone", "vmSize", "vmScaleSetName", "sku", "offer", "publisher", "customData"):
        assert compute[name] == ""
    assert compute["publicKeys"] is None and compute["storageProfile"] == {}
    alone = served.himds_get("/metadata/instance/compute?api-version=2019-11-01")
    assert alone.json == compute


def test_tags_told_by_the_extensions_role_are_shown(served):
    told = {"tags": {"env": "test", "owner": "me"}}
    assert served.role_channel("PUT", "/hashes", told).status == 200
    compute = served.himds_get("/metadata/instance/compute?api-version=2019-11-01").json
    assert compute["tags"] == "env:test;owner:me"
    assert compute["tagsList"] == [{"name": "env", "value": "test"},
                                   {"name": "owner", "value": "me"}]
    served.restart_role("identity")
    again = served.himds_get("/metadata/instance/compute?api-version=2019-11-01").json
    assert again["tags"] == compute["tags"]
    assert served.role_channel("PUT", "/hashes", {"tags": {}}).status == 200


# Faults


def test_slow_reader_does_not_hold_up_others(served):
    port = urllib.parse.urlsplit(served.himds).port
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    try:
        assert served.himds_get("/agentstatus").status == 200
    finally:
        for one in idle:
            one.close()


def test_connection_is_kept_between_the_two_requests(served):
    port = urllib.parse.urlsplit(served.himds).port
    connection = http.client.HTTPConnection("localhost", port, timeout=10)
    connection.request("GET", token_path(), headers={"Metadata": "true"})
    answer = connection.getresponse()
    answer.read()
    key = pathlib.Path(answer.headers["WWW-Authenticate"].split("=")[1]).read_text()
    connection.request("GET", token_path(), headers={"Metadata": "true",
                                                     "Authorization": f"Basic {key}"})
    assert connection.getresponse().status == 200
    connection.close()


# Bounds: 16384 keys in all, 12288 for each user


def ask_often(port, count):
    """The statuses of so many challenges over one connection."""
    head = f"GET {token_path()} HTTP/1.1\r\nHost: localhost:{port}\r\nMetadata: true\r\n\r\n".encode()
    statuses = collections.Counter()
    with socket.create_connection(("127.0.0.1", port), 60) as one, one.makefile("rb") as answers:
        while statuses.total() < count:
            batch = min(64, count - statuses.total())
            one.sendall(head * batch)
            for _ in range(batch):
                statuses[int(answers.readline().split()[1])] += 1
                length = 0
                while (line := answers.readline().strip().lower()):
                    if line.startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)
    return statuses


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can speak as another user")
def test_greedy_user_gets_429_and_others_are_served(served, full):
    """The last of this file: it leaves no room for this user for a while."""
    port = urllib.parse.urlsplit(served.himds).port
    if not full:
        assert as_user(NOBODY, ask_often, port, 64) == {401: 64}
        return
    first = realm(served.himds_get(token_path()))
    greedy = as_user(NOBODY, ask_often, port, 12400)
    assert greedy[401] == 12288 and greedy[429] == 112
    assert served.himds_get(token_path()).status == 401
    headers = {"Metadata": "true", "Authorization": f"Basic {first.read_text()}"}
    assert served.himds_get(token_path(), headers).status == 200

# SPDX-License-Identifier: Apache-2.0
"""The resource manager as docs/protocol/arm.md has it, by plain HTTP."""
import json
import uuid

import pytest

from fake_agent import FakeAgent, new_key, public_text

RESOURCES = "2021-04-01"
HYBRID = "Microsoft.HybridCompute"


@pytest.fixture
def group(controlplane, unique):
    return controlplane.group(unique)


def machine_path(group, name="m1"):
    return f"resourceGroups/{group}/providers/{HYBRID}/machines/{name}"


def machine_body(**properties):
    properties = {"vmId": str(uuid.uuid4()), "clientPublicKey": public_text(new_key()),
                  **properties}
    return {"location": "local", "identity": {"type": "SystemAssigned"}, "tags": {"env": "test"},
            "properties": properties}


@pytest.fixture
def m1(controlplane, group):
    body = machine_body(locationData={"name": "lab"})
    answer = controlplane.arm("PUT", machine_path(group), body)
    assert answer.status == 200, answer
    return answer.json


def principal(controlplane, name, role, scope=None):
    """A new application's token."""
    extra = ("--scope", scope) if scope else ()
    made = json.loads(controlplane.cli("principal", "create", name, "--role", role, *extra,
                                       "-j").stdout)
    return controlplane.sign_in(made["clientId"], made["secret"]).json["access_token"]


def test_answers_carry_azures_headers(controlplane):
    asked = str(uuid.uuid4())
    answer = controlplane.arm("GET", "/subscriptions", headers={
        "x-ms-client-request-id": asked, "x-ms-return-client-request-id": "true"})
    headers = answer.headers
    assert uuid.UUID(headers["x-ms-request-id"]) and uuid.UUID(headers["x-ms-correlation-request-id"])
    assert headers["x-ms-routing-request-id"].startswith("LOCAL") or \
        headers["x-ms-routing-request-id"].startswith("local")
    assert headers["x-ms-client-request-id"] == asked
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache" and headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" in headers


def test_a_request_without_a_token_learns_where_to_sign_in(controlplane):
    answer = controlplane.request("GET", "/subscriptions?api-version=2019-11-01")
    assert answer.status == 401 and answer.error_code == "AuthenticationFailed"
    assert f'authorization_uri="{controlplane.endpoint}/{controlplane.tenant}"' in \
        answer.headers["WWW-Authenticate"]


def test_the_subscription_its_tenant_and_its_locations_are_listed(controlplane):
    subscriptions = controlplane.arm("GET", "/subscriptions").json["value"]
    assert [s["subscriptionId"] for s in subscriptions] == [controlplane.subscription]
    tenants = controlplane.arm("GET", "/tenants").json["value"]
    assert [t["tenantId"] for t in tenants] == [controlplane.tenant]
    path = f"/subscriptions/{controlplane.subscription}"
    assert controlplane.arm("GET", path).json["state"] == "Enabled"
    names = [x["name"] for x in controlplane.arm("GET", path + "/locations").json["value"]]
    assert names == [controlplane.info["location"]]
    other = controlplane.arm("GET", f"/subscriptions/{uuid.uuid4()}")
    assert other.status == 404 and other.error_code == "SubscriptionNotFound"


def test_a_provider_lists_its_types_newest_api_version_first(controlplane):
    document = controlplane.arm("GET", f"providers/{HYBRID}", api_version=RESOURCES).json
    assert document["registrationState"] == "Registered"
    types = {t["resourceType"]: t["apiVersions"] for t in document["resourceTypes"]}
    assert {"machines", "machines/extensions", "locations/operationstatus"} <= types.keys()
    stable = [v for v in types["machines"] if "preview" not in v]
    assert stable == sorted(stable, reverse=True)
    assert controlplane.arm("POST", f"providers/{HYBRID}/register",
                            api_version=RESOURCES).status == 200
    assert controlplane.arm("GET", "providers/No.Such", api_version=RESOURCES).status == 404


def test_every_listed_api_version_is_served(controlplane, m1):
    document = controlplane.arm("GET", f"providers/{HYBRID}", api_version=RESOURCES).json
    versions = document["resourceTypes"][0]["apiVersions"]
    for version in versions:
        assert controlplane.arm("GET", m1["id"], api_version=version).status == 200, version


def test_a_group_is_made_changed_found_and_deleted(controlplane, unique):
    path = f"resourcegroups/{unique}"

    def arm(method, body=None):
        return controlplane.arm(method, path, body, api_version=RESOURCES)
    assert arm("HEAD").status == 404
    made = arm("PUT", {"location": "West Europe", "tags": {"a": "b"}})
    assert made.status == 201 and made.json["location"] == "westeurope"
    assert arm("PUT", {"location": "westeurope"}).status == 200
    assert arm("PUT", {"location": "elsewhere"}).error_code == "InvalidResourceGroupLocation"
    assert arm("PUT", {}).error_code == "LocationRequired"
    assert arm("HEAD").status == 204
    assert arm("PATCH", {"tags": {"c": "d"}}).json["tags"] == {"c": "d"}
    gone = arm("DELETE")
    assert gone.status == 202
    assert controlplane.arm("GET", gone.headers["Location"]).status == 200
    assert arm("GET").error_code == "ResourceGroupNotFound"
    assert arm("DELETE").status == 404


def test_paths_forgive_casing_empty_segments_and_a_slash_at_the_end(controlplane, group, m1):
    odd = (f"/SUBSCRIPTIONS/{controlplane.subscription.upper()}/resourcegroups/{group.upper()}"
           f"/providers/microsoft.hybridcompute//machines/M1/")
    answer = controlplane.arm("GET", odd)
    assert answer.status == 200 and answer.json["id"] == m1["id"]


def test_a_machine_is_a_principal_and_waits_for_its_agent(controlplane, m1):
    assert m1["properties"]["status"] == "AwaitingConnection"
    assert m1["properties"]["provisioningState"] == "Succeeded"
    assert m1["identity"]["type"] == "SystemAssigned"
    assert m1["identity"]["tenantId"] == controlplane.tenant
    assert uuid.UUID(m1["identity"]["principalId"])
    assert m1["systemData"]["createdByType"] == "Application"


def test_writing_back_what_was_read_changes_nothing(controlplane, m1):
    """az resource tag and az resource update do."""
    again = controlplane.arm("PUT", m1["id"], m1)
    assert again.status == 200
    for member in ("identity", "properties", "tags", "location"):
        assert again.json[member] == m1[member]
    without = {k: v for k, v in m1.items() if k != "identity"}
    assert controlplane.arm("PUT", m1["id"], without).json["identity"] == m1["identity"]


def test_nobody_gives_a_machine_another_identity(controlplane, group, m1):
    other_key = machine_body(vmId=m1["properties"]["vmId"])
    answer = controlplane.arm("PUT", m1["id"], other_key)
    assert answer.status == 409 and answer.error_code == "MachineAlreadyRegistered"
    other_machine = machine_body(clientPublicKey=m1["properties"]["clientPublicKey"])
    assert controlplane.arm("PUT", m1["id"], other_machine).error_code == "MachineAlreadyRegistered"
    taken = machine_body(vmId=m1["properties"]["vmId"].upper())
    answer = controlplane.arm("PUT", machine_path(group, "m2"), taken)
    assert answer.status == 409 and answer.error_code == "MachineAlreadyRegistered"
    assert controlplane.arm("GET", machine_path(group, "m2")).status == 404
    assert controlplane.arm("GET", m1["id"]).json["properties"]["vmId"] == m1["properties"]["vmId"]


@pytest.mark.parametrize("change, code", [
    ({"vmId": "x"}, "InvalidVmId"), ({"clientPublicKey": "AAAA"}, "InvalidClientPublicKey"),
    ({"clientPublicKey": ""}, "InvalidClientPublicKey")])
def test_a_malformed_identity_is_refused(controlplane, group, change, code):
    answer = controlplane.arm("PUT", machine_path(group), machine_body(**change))
    assert answer.status == 400 and answer.error_code == code


def test_a_machine_may_be_made_without_an_agent(controlplane, group):
    """Terraform PUTs location and kind only."""
    answer = controlplane.arm("PUT", machine_path(group), {"location": "local", "kind": "AWS"})
    assert answer.status == 200 and answer.json["kind"] == "AWS"
    assert "identity" not in answer.json
    joined = controlplane.arm("PUT", machine_path(group), machine_body())
    assert joined.status == 200 and joined.json["identity"]["principalId"]
    assert joined.json["kind"] == "AWS"


def test_reconnect_gives_a_new_key_and_needs_a_right_of_its_own(controlplane, group, m1, unique):
    key = public_text(new_key())
    onboarding = principal(controlplane, unique, "Azure Connected Machine Onboarding")
    path, body = m1["id"] + "/reconnect", {"clientPublicKey": key}
    assert controlplane.arm("POST", path, body, token=onboarding).status == 403
    answer = controlplane.arm("POST", path, body)
    assert answer.status == 200 and answer.json["properties"]["clientPublicKey"] == key


def test_patch_merges_properties_and_replaces_tags(controlplane, m1):
    answer = controlplane.arm("PATCH", m1["id"], {
        "tags": {"x": "y"}, "properties": {"locationData": {"name": "room 2"}, "osName": "mine"}})
    assert answer.json["tags"] == {"x": "y"}
    assert answer.json["properties"]["locationData"] == {"name": "room 2"}
    assert "osName" not in answer.json["properties"]
    assert controlplane.arm("PATCH", m1["id"] + "x", {}).status == 404


def test_a_deleted_machine_is_gone_and_its_id_free_for_the_same_tenant(controlplane, m1):
    assert controlplane.arm("DELETE", m1["id"]).status == 200
    assert controlplane.arm("DELETE", m1["id"]).status == 204
    assert controlplane.arm("GET", m1["id"]).error_code == "ResourceNotFound"
    again = machine_body(vmId=m1["properties"]["vmId"])
    answer = controlplane.arm("PUT", m1["id"], again)
    assert answer.status == 200
    assert answer.json["identity"]["principalId"] != m1["identity"]["principalId"]


def test_lists_filter_page_and_show_no_properties(controlplane, group, m1, unique):
    for i in range(3):
        assert controlplane.arm("PUT", machine_path(group, f"n{i}"),
                                {"location": "local", "tags": {"t": unique}}).status == 200

    def names(query):
        answer = controlplane.arm("GET", f"resources?{query}", api_version=RESOURCES)
        assert answer.status == 200, answer
        assert all("properties" not in item for item in answer.json["value"])
        return sorted(item["name"] for item in answer.json["value"])
    assert names(f"$filter=resourceGroup%20eq%20'{group}'") == ["m1", "n0", "n1", "n2"]
    assert names(f"$filter=tagname%20eq%20't'%20and%20tagvalue%20eq%20'{unique}'") == \
        ["n0", "n1", "n2"]
    assert names(f"$filter=name%20eq%20'n1'%20and%20resourceGroup%20eq%20'{group}'") == ["n1"]
    assert "m1" in names(f"$filter=resourceType%20eq%20'{HYBRID}/machines'")
    assert "m1" in names("$filter=&$expand=createdTime%2CchangedTime%2CprovisioningState")
    bad = controlplane.arm("GET", "resources?$filter=color%20eq%20'red'", api_version=RESOURCES)
    assert bad.status == 400 and bad.error_code == "InvalidFilterInQueryString"


def test_tags_of_a_resource_are_merged_replaced_and_deleted(controlplane, m1):
    path = m1["id"] + "/providers/Microsoft.Resources/tags/default"

    def tags(method, body=None):
        answer = controlplane.arm(method, path, body, api_version=RESOURCES)
        assert answer.status == 200, answer
        return answer.json["properties"]["tags"]

    def patch(operation, values):
        return tags("PATCH", {"operation": operation, "properties": {"tags": values}})
    assert tags("GET") == {"env": "test"}
    assert patch("Merge", {"ENV": "prod", "a": "b"}) == {"env": "prod", "a": "b"}
    assert patch("Delete", {"a": "b"}) == {"env": "prod"}
    assert patch("Replace", {"x": "y"}) == {"x": "y"}
    assert tags("PUT", {"properties": {"tags": {"one": "1"}}}) == {"one": "1"}
    assert tags("DELETE") == {}
    many = {f"t{i}": "" for i in range(51)}
    answer = controlplane.arm("PUT", path, {"properties": {"tags": many}}, api_version=RESOURCES)
    assert answer.status == 400 and answer.error_code == "InvalidTags"


def test_a_right_on_a_group_is_a_right_on_what_is_in_it(controlplane, group, m1, unique):
    scope = f"/subscriptions/{controlplane.subscription}/resourceGroups/{group}"
    reader = principal(controlplane, unique, "Reader", scope)
    assert controlplane.arm("GET", m1["id"], token=reader).status == 200
    refused = controlplane.arm("DELETE", m1["id"], token=reader)
    assert refused.status == 403 and refused.error_code == "AuthorizationFailed"
    message = refused.json["error"]["message"]
    assert f"{HYBRID}/machines/delete" in message and "object id" in message
    other = controlplane.group(unique + "-other")
    assert controlplane.arm("PUT", machine_path(other, "hidden"), machine_body()).status == 200
    assert controlplane.arm("GET", machine_path(other, "hidden"), token=reader).status == 403
    machines = controlplane.arm("GET", f"providers/{HYBRID}/machines", token=reader).json["value"]
    assert [m["name"] for m in machines] == ["m1"]
    groups = controlplane.arm("GET", "resourcegroups", token=reader).json["value"]
    assert [g["name"] for g in groups] == [group]


def test_the_onboarding_role_registers_and_cannot_delete(controlplane, group, unique):
    token = principal(controlplane, unique, "Azure Connected Machine Onboarding")
    made = controlplane.arm("PUT", machine_path(group, "onboarded"), machine_body(), token=token)
    assert made.status == 200
    assert controlplane.arm("DELETE", made.json["id"], token=token).status == 403
    assert controlplane.arm("PUT", made.json["id"] + "/extensions/e",
                            {"properties": {"publisher": "P", "type": "T"}},
                            token=token).status == 403


def test_an_unpublished_extension_and_one_without_machine_are_refused(controlplane, group, m1):
    body = {"location": "local", "properties": {"publisher": "No", "type": "Such"}}
    answer = controlplane.arm("PUT", m1["id"] + "/extensions/e", body)
    assert answer.status == 404 and answer.error_code == "ArtifactNotFound"
    answer = controlplane.arm("PUT", machine_path(group, "none") + "/extensions/e", body)
    assert answer.status == 404 and answer.error_code == "ParentResourceNotFound"
    assert controlplane.arm("GET", m1["id"] + "/extensions").json["value"] == []


def test_unknown_routes_and_types_have_arms_error_body(controlplane, group):
    answer = controlplane.arm("GET", f"resourceGroups/{group}/providers/No.Such/things/x")
    assert answer.status == 404 and answer.error_code == "InvalidResourceType"
    assert controlplane.request("GET", "/nothing/here").json["error"]["code"]
    bad = controlplane.arm("PUT", machine_path(group), b"{\"location\":")
    assert bad.status == 400 and bad.error_code == "InvalidRequestContent"


def test_everything_written_is_there_after_a_kill(own_controlplane, unique):
    group = own_controlplane.group(unique)
    made = own_controlplane.arm("PUT", machine_path(group), machine_body()).json
    own_controlplane.restart()
    shown = own_controlplane.arm("GET", made["id"]).json
    assert shown["properties"]["vmId"] == made["properties"]["vmId"]
    assert shown["identity"] == made["identity"]


def test_a_second_server_on_the_same_state_is_refused(own_controlplane):
    answer = own_controlplane.cli("serve", "--listen", "127.0.0.1:0", check=False)
    assert answer.returncode == 1 and "another server runs" in answer.stderr


def test_init_changes_hosts_and_keeps_the_rest(workspace):
    from harness.controlplane import ControlPlane
    server = ControlPlane(workspace, "init")
    server.cli("init", "--host", "cp.example", "--location", "here")
    before = json.loads(server.cli("info", "-j").stdout)
    assert before["endpoint"] == "https://cp.example:8443" and before["location"] == "here"
    fingerprint = server.cli("ca", "fingerprint").stdout
    server.cli("init", "--host", "other.example")
    after = json.loads(server.cli("info", "-j").stdout)
    assert after["endpoint"] == "https://other.example:8443"
    assert after["tenantId"] == before["tenantId"] and after["location"] == "here"
    assert server.cli("ca", "fingerprint").stdout == fingerprint


def test_a_machine_with_an_agent_shows_what_the_agent_says(controlplane, unique):
    agent = FakeAgent(controlplane, unique, "live").register()
    agent.enrol()
    assert agent.beat().status == 200
    shown = controlplane.arm("GET", agent.resource_id).json
    assert shown["properties"]["status"] == "Connected"

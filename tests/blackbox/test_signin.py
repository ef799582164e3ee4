# SPDX-License-Identifier: Apache-2.0
"""Sign-in as docs/protocol/signin.md has it: discovery, secrets, assertions, tokens, key set."""
import base64
import json
import time
import uuid

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from fake_agent import FakeAgent
from harness import web

GRANT = {"grant_type": "client_credentials"}
VAULT = "https://vault.example.com"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FACES = ["/adfs/oauth2/token", "/{tenant}/oauth2/v2.0/token", "/{tenant}/oauth2/token"]


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def part(token, index):
    return json.loads(unbase64(token.split(".")[index]))


def ask(controlplane, fields, face=FACES[1]):
    body, headers = web.form(fields)
    return controlplane.request("POST", face.format(tenant=controlplane.tenant), body, headers)


def secret_form(controlplane, **changes):
    return {**GRANT, "client_id": controlplane.admin_id, "client_secret": controlplane.admin_secret,
            "scope": f"{controlplane.arm_audience}/.default", **changes}


@pytest.mark.parametrize("version, authority", [
    ("2015-01-01", "/adfs"), ("2019-05-01", "/adfs"), ("2020-06-01", "/adfs"), ("2022-09-01", "")])
def test_each_metadata_version_has_the_authority_its_readers_need(controlplane, version, authority):
    answer = controlplane.request("GET", f"/metadata/endpoints?api-version={version}")
    document = answer.json
    if version[:4] in ("2019", "2020"):
        assert isinstance(document, list)
        document = document[0]
    login = document["authentication"]
    assert login["loginEndpoint"] == controlplane.endpoint + authority
    assert login["audiences"][0] == controlplane.arm_audience
    assert document["mooring"]["audience"] == controlplane.service_audience
    assert document["mooring"]["hisEndpoint"] == controlplane.info["hisEndpoint"]
    assert base64.b64decode(document["mooring"]["galleryCertificates"][0])
    if version == "2022-09-01":
        assert (login["tenant"], login["identityProvider"]) == ("common", "AAD")
        assert document["resourceManager"] == controlplane.endpoint and document["suffixes"]


@pytest.mark.parametrize("path", ["/adfs", "/{tenant}/v2.0"])
def test_discovery_leads_to_token_endpoint_and_keys(controlplane, path):
    path = path.format(tenant=controlplane.tenant)
    document = controlplane.request("GET", f"{path}/.well-known/openid-configuration").json
    assert document["issuer"].startswith(controlplane.endpoint)
    assert document["token_endpoint"].startswith(controlplane.endpoint)
    assert document["authorization_endpoint"].startswith("https://")
    assert controlplane.request("GET", document["jwks_uri"]).json["keys"]


def test_a_foreign_tenant_is_refused(controlplane):
    answer = controlplane.request("GET", f"/{uuid.uuid4()}/v2.0/.well-known/openid-configuration")
    assert answer.status == 400 and answer.json["error_codes"] == [90002]


@pytest.mark.parametrize("face", FACES)
def test_a_secret_gives_a_token_whose_signature_the_key_set_verifies(controlplane, face):
    answer = ask(controlplane, secret_form(controlplane), face)
    assert answer.status == 200, answer
    assert answer.json["token_type"] == "Bearer" and answer.json["expires_in"] == 3600
    assert answer.headers["Cache-Control"].startswith("no-")
    token = answer.json["access_token"]
    header, claims = part(token, 0), part(token, 1)
    keys = controlplane.request("GET", "/discovery/keys").json["keys"]
    key = next(k for k in keys if k["kid"] == header["kid"])
    public = rsa.RSAPublicNumbers(int.from_bytes(unbase64(key["e"]), "big"),
                                  int.from_bytes(unbase64(key["n"]), "big")).public_key()
    signed, signature = token.rsplit(".", 1)
    public.verify(unbase64(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert claims["aud"] == controlplane.arm_audience
    assert claims["tid"] == controlplane.tenant and claims["appid"] == controlplane.admin_id
    assert claims["nbf"] <= time.time() < claims["exp"] and claims["oid"]
    face_of_issuer = "/adfs" if face.startswith("/adfs") else f"/{controlplane.tenant}/v2.0"
    assert claims["iss"] == controlplane.endpoint + face_of_issuer


def test_the_scope_loses_exactly_its_default_suffix(controlplane):
    for resource in ("https://h/", "https://h", "api://x"):
        token = ask(controlplane, secret_form(controlplane, scope=f"{resource}/.default"))
        assert part(token.json["access_token"], 1)["aud"] == resource
    answer = ask(controlplane, secret_form(controlplane, scope="https://h"))
    assert answer.status == 400 and answer.json["error"] == "invalid_scope"


def test_the_older_resource_parameter_works(controlplane):
    fields = secret_form(controlplane, resource="https://management.azure.com/")
    del fields["scope"]
    token = ask(controlplane, fields, FACES[2]).json["access_token"]
    assert part(token, 1)["aud"] == "https://management.azure.com/"
    assert controlplane.arm("GET", "/subscriptions", token=token).status == 200


@pytest.mark.parametrize("change, status, number, error", [
    ({"client_secret": "wrong"}, 401, 7000215, "invalid_client"),
    ({"client_id": str(uuid.uuid4())}, 400, 700016, "unauthorized_client"),
    ({"client_secret": ""}, 401, 7000218, "invalid_client"),
    ({"grant_type": "password"}, 400, 70003, "unsupported_grant_type"),
    ({"client_id": ""}, 400, 900144, "invalid_request"),
    ({"scope": ""}, 400, 900144, "invalid_request"),
])
def test_refusals_are_entras(controlplane, change, status, number, error):
    answer = ask(controlplane, secret_form(controlplane, **change))
    assert answer.status == status
    assert answer.json["error"] == error and answer.json["error_codes"] == [number]
    assert answer.json["error_description"].startswith(f"AADSTS{number}: ")
    assert answer.json["trace_id"] and answer.json["correlation_id"] and answer.json["timestamp"]


def test_a_secret_ends_when_it_was_said_to(controlplane, unique, workspace):
    secret = workspace.path / "secret"
    made = json.loads(controlplane.cli("principal", "create", unique, "--role", "Reader",
                                       "--secret-file", str(secret), "--expires-in", "PT1S",
                                       "-j").stdout)
    assert secret.stat().st_mode & 0o777 == 0o600 and "secret" not in made
    deadline = time.monotonic() + 20
    while True:
        answer = ask(controlplane, secret_form(controlplane, client_id=made["clientId"],
                                               client_secret=secret.read_text()))
        if answer.status == 401 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert answer.json["error_codes"] == [7000222]


def test_a_deleted_principal_is_out_at_once(controlplane, unique):
    made = json.loads(controlplane.cli("principal", "create", unique, "--role", "Reader",
                                       "-j").stdout)
    token = ask(controlplane, secret_form(controlplane, client_id=made["clientId"],
                                          client_secret=made["secret"])).json["access_token"]
    assert len(controlplane.arm("GET", "/subscriptions", token=token).json["value"]) == 1
    controlplane.cli("principal", "delete", made["clientId"])
    answer = controlplane.arm("GET", "/subscriptions", token=token)
    assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_machine_signs_in_with_its_certificate_and_is_a_principal(controlplane, unique):
    agent = FakeAgent(controlplane, "rg-signin", unique).register()
    agent.enrol()
    # The service's token goes along with every heartbeat: nothing in it that the service does not read.
    claims = part(agent.token, 1)
    assert set(claims) == {"aud", "iss", "iat", "exp", "tid", "oid", "appid"}
    assert len(agent.token) <= 1000
    claims = part(agent.sign_in(audience=VAULT).json["access_token"], 1)
    assert claims["oid"] == agent.identity["principalId"]
    assert claims["xms_mirid"].lower() == agent.resource_id.lower()
    life = claims["exp"] - claims["iat"]
    assert 86400 * 0.9 <= life <= 86400 * 1.1


def test_an_assertion_by_an_unknown_key_is_700027(controlplane):
    def encoded(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    key = rsa.generate_private_key(65537, 2048)
    digest = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()
    signed = ".".join((encoded({"alg": "RS256", "typ": "JWT", "x5t#S256": digest}),
                       encoded({"iss": controlplane.admin_id, "sub": controlplane.admin_id,
                                "aud": controlplane.endpoint + "/adfs/oauth2/token",
                                "exp": time.time() + 300})))
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    assertion = signed + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    fields = secret_form(controlplane, client_assertion=assertion, client_assertion_type=ASSERTION)
    del fields["client_secret"]
    answer = ask(controlplane, fields)
    assert answer.status == 401 and answer.json["error_codes"] == [700027]


def test_secrets_are_in_no_file_but_their_own(controlplane):
    secret = controlplane.admin_secret.encode()
    holders = [path for path in controlplane.state.rglob("*")
               if path.is_file() and secret in path.read_bytes()]
    assert [path.name for path in holders] == ["admin-secret"]
    assert holders[0].stat().st_mode & 0o777 == 0o600
    for path in controlplane.state.rglob("*"):
        if path.suffix in (".key", ".db", ".db-wal"):
            assert path.stat().st_mode & 0o777 == 0o600, path


def test_a_lost_secret_file_ends_the_lost_secret(own_controlplane):
    lost = own_controlplane.admin_secret
    (own_controlplane.state / "admin-secret").unlink()
    own_controlplane.restart()
    assert own_controlplane.admin_secret != lost
    assert own_controlplane.sign_in(own_controlplane.admin_id, lost).status == 401
    assert own_controlplane.sign_in(own_controlplane.admin_id,
                                    own_controlplane.admin_secret).status == 200


def test_tokens_outlive_a_restart_of_the_server(own_controlplane):
    token = own_controlplane.token()
    own_controlplane.restart()
    assert own_controlplane.arm("GET", "/subscriptions", token=token).status == 200

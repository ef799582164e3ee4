# SPDX-License-Identifier: Apache-2.0
"""A control plane of a test's own: private state, a port of its choice."""
import json
import pathlib
import urllib.parse

from . import web
from .process import Process, program, run, wait_for

ARM_VERSION = "2024-07-10"


class ControlPlane:
    def __init__(self, workspace, name="controlplane"):
        self.workspace = workspace
        self.state = workspace.path / name
        self.env = workspace.environment()
        self.listen = "127.0.0.1:0"
        self.process = Process(workspace, name, [], self.env)
        self.info = {}
        self._tokens = {}

    def start(self, *arguments):
        """Starts the server and waits until it accepts. A restart keeps the port."""
        self.endpoint_file.unlink(missing_ok=True)
        self.process.argv = [program("mooring-controlplane"), "serve", "--state", str(self.state),
                             "--listen", self.listen, *map(str, arguments)]
        self.process.start()
        self.process.wait_ready(self.endpoint_file.exists, what="the control plane to listen")
        self.info = json.loads(self.cli("info", "-j").stdout)
        port = urllib.parse.urlsplit(self.endpoint).port
        self.listen = f"127.0.0.1:{port}"
        return self

    def rule(self, **rules):
        """Other rules in config.json, before the start; init was run."""
        path = self.state / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **rules}))

    def stop(self):
        status = self.process.stop()
        assert status in (0, None), f"the control plane ended with {status}"

    def kill(self):
        self.process.kill()

    def restart(self):
        self.process.kill()
        return self.start()

    def cli(self, *arguments, **options):
        """mooring-controlplane VERB ... on this server's state."""
        verb, *rest = arguments
        argv = [program("mooring-controlplane"), verb, *rest, "--state", str(self.state)]
        return run(argv, self.env, **options)

    def publish(self, package):
        """Puts an extension package of this build ("Mooring.Samples.Hello", any version) or of a
        path into the gallery."""
        folder = pathlib.Path(program("mooring")).parent.parent / "extensions"
        paths = [package] if "/" in str(package) else sorted(folder.glob(f"{package}__*.zip"))
        assert paths, f"no package {package} in {folder}"
        return self.cli("extension", "publish", paths[-1])

    @property
    def endpoint_file(self):
        return self.state / "endpoint"

    @property
    def endpoint(self):
        return self.info["endpoint"].rstrip("/")

    @property
    def far_endpoint(self):
        """As machines know it."""
        return self.endpoint

    @property
    def arm_audience(self):
        return self.endpoint + "/"

    @property
    def service_audience(self):
        return self.info["audience"]

    @property
    def ca_file(self):
        return self.info["caFile"]

    @property
    def tenant(self):
        return self.info["tenantId"]

    @property
    def subscription(self):
        return self.info["subscriptionId"]

    @property
    def admin_id(self):
        return self.info["adminClientId"]

    @property
    def admin_secret(self):
        return pathlib.Path(self.info["adminSecretFile"]).read_text().strip()

    def request(self, method, path, body=None, headers=None, **options):
        """One request without any token; path is joined to the endpoint unless it is a URL."""
        url = path if path.startswith("https:") else self.endpoint + path
        return web.request(method, url, body, headers, ca_file=self.ca_file, **options)

    def sign_in(self, client_id, secret, resource=None):
        """A client credentials grant; the answer as it came."""
        scope = f"{resource or self.arm_audience}/.default"
        body, headers = web.form({"client_id": client_id, "client_secret": secret,
                                  "grant_type": "client_credentials", "scope": scope})
        return self.request("POST", f"/{self.tenant}/oauth2/v2.0/token", body, headers)

    def token(self, resource=None):
        """The administrator's access token, for ARM unless another audience is named."""
        if resource not in self._tokens:
            answer = self.sign_in(self.admin_id, self.admin_secret, resource)
            assert answer.status == 200, answer
            self._tokens[resource] = answer.json["access_token"]
        return self._tokens[resource]

    def arm(self, method, path, body=None, api_version=ARM_VERSION, token=None, headers=None):
        """An ARM call as the administrator. path may start below the subscription
        ("resourceGroups/g") or be a full path or URL; one that has an api-version keeps it."""
        if not path.startswith(("/", "https:")):
            path = f"/subscriptions/{self.subscription}/{path}"
        if "api-version=" not in path:
            path += ("&" if "?" in path else "?") + f"api-version={api_version}"
        headers = {"Authorization": f"Bearer {token or self.token()}", **(headers or {})}
        return self.request(method, path, body, headers)

    def finish(self, answer, timeout=60):
        """Follows Azure-AsyncOperation of a 201 or 202 to its end; the last status document."""
        operation = answer.headers["Azure-AsyncOperation"]
        assert operation, f"no operation to follow: {answer}"

        def ended():
            document = self.arm("GET", operation).json
            return document if document["status"] in ("Succeeded", "Failed", "Canceled") else None
        return wait_for(ended, timeout, f"the operation {operation} to end")

    def group(self, name):
        """A resource group, made when it is not there."""
        answer = self.arm("PUT", f"resourcegroups/{name}", {"location": self.info["location"]},
                          api_version="2021-04-01")
        assert answer.status in (200, 201), answer
        return name

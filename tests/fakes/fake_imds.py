# SPDX-License-Identifier: Apache-2.0
"""The metadata services of public clouds, as they stand behind 169.254.169.254."""
import http.server
import json
import threading

TOKEN = "AQAEAL-imds-token"
SECRET = "canary-of-user-data"  # what an agent has no business to read

AWS = {"accountId": "123456789012", "instanceId": "i-0abc", "region": "eu-west-1"}
GCP = {"instance/id": "4520031799277581759", "instance/zone": "projects/77/zones/europe-west1-b",
       "instance/image": "projects/debian-cloud/global/images/debian-12",
       "instance/machine-type": "projects/77/machineTypes/e2-medium",
       "project/project-id": "contoso-prod", "project/numeric-project-id": "77",
       "instance/service-accounts/default/email": "x@developer.gserviceaccount.com"}
OCI = {"displayName": "web01", "id": "ocid1.instance.oc1..a", "canonicalRegionName": "eu-frankfurt-1"}


def aws(method, path, headers):
    if (method, path) == ("PUT", "/latest/api/token"):
        return headers.get("X-aws-ec2-metadata-token-ttl-seconds") and TOKEN
    if headers.get("X-aws-ec2-metadata-token") != TOKEN:
        return None
    return {"/latest/dynamic/instance-identity/document": json.dumps(AWS),
            "/latest/user-data": SECRET}.get(path)


def gcp(method, path, headers):
    if method != "GET" or headers.get("Metadata-Flavor") != "Google":
        return None
    return GCP.get(path.removeprefix("/computeMetadata/v1/"))


def oci(method, path, headers):
    if method != "GET" or headers.get("Authorization") != "Bearer Oracle":
        return None
    return OCI.get(path.removeprefix("/opc/v2/instance/"))


def azure(method, path, headers):
    wanted = (method, path, headers.get("Metadata")) == (
        "GET", "/metadata/instance/compute?api-version=2019-06-01", "true")
    return json.dumps({"vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6"}) if wanted else None


class FakeImds:
    """with FakeImds(aws) as imds: imds.url; imds.asked is a list of (method, path)."""

    def __init__(self, cloud, silent=False):
        self.asked = []
        self.gate = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                outer.asked.append((self.command, self.path))
                if silent:
                    outer.gate.wait(60)
                text = cloud(self.command, self.path, self.headers)
                self.send_response(200 if text else 404)
                if cloud is gcp:
                    self.send_header("Metadata-Flavor", "Google")
                body = (text or "").encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

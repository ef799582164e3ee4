# SPDX-License-Identifier: Apache-2.0
"""What the handlers of one publisher share: environment, settings, statuses, the log."""
import base64
import json
import os
import re
import subprocess
import sys
import time
from xml.etree import ElementTree

SPACE = "{http://schemas.microsoft.com/windowsazure}"


class Helper:
    def __init__(self, operation):
        self.operation = operation
        tree = ElementTree.parse("manifest.xml")
        self.name, self.version = tree.find(SPACE + "Type").text, tree.find(SPACE + "Version").text
        with open("./HandlerEnvironment.json") as f:
            everything = json.load(f)
        if isinstance(everything, list):
            everything = everything[0]
        self.full_name = everything["name"]
        self.format = str(everything["version"])
        where = everything["handlerEnvironment"]
        self.log_file = os.path.join(where["logFolder"], "extension.log")
        self.config, self.status = where["configFolder"], where["statusFolder"]
        self.heartbeat = where["heartbeatFile"]
        self.library = os.path.dirname(os.getcwd())
        self.seq = self._newest()
        self.log("%s of version %s, number %s" % (operation, self.version, self.seq))
        self.settings = self._settings()

    def log(self, text):
        line = "%s %s\n" % (time.strftime("%Y/%m/%d %H:%M:%S"), text)
        for path in (self.log_file, "/dev/stdout"):
            with open(path, "a") as f:
                f.write(line)

    def _newest(self):
        found = [(os.path.getmtime(os.path.join(self.config, f)), int(f.split(".")[0]))
                 for f in os.listdir(self.config) if f.split(".")[0].isdigit()]
        return max(found)[1]

    def _path(self):
        return os.path.join(self.config, "%d.settings" % self.seq)

    def _settings(self):
        with open(self._path()) as f:
            text = f.read()
        if not text:
            return None
        settings = json.loads(text)["runtimeSettings"][0]["handlerSettings"]
        sealed, thumb = settings["protectedSettings"], settings["protectedSettingsCertThumbprint"]
        if sealed and thumb:
            base = os.path.join(self.library, thumb)
            done = subprocess.run(
                "openssl smime -inform DER -decrypt -recip %s.crt -inkey %s.prv" % (base, base),
                shell=True, input=base64.standard_b64decode(sealed), stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, check=False)
            if done.returncode != 0:
                self.leave(1, "error", "Failed to decrypt protectedSettings: %r" % done.stderr)
            settings["protectedSettings"] = json.loads(done.stdout.decode())
        return settings

    def hide(self):
        """The secrets' place is overwritten once they are read, as a file beside would show them."""
        with open(self._path()) as f:
            text = f.read()
        text = re.sub(r'"protectedSettings":\s*"[^"]+"', '"protectedSettings": "*** REDACTED ***"', text)
        text = re.sub(r'"protectedSettingsCertThumbprint":\s*"[^"]+"',
                      '"protectedSettingsCertThumbprint": "*** REDACTED ***"', text)
        with open(self._path(), "w") as f:
            f.write(text)

    def done_before(self):
        try:
            with open("mrseq") as f:
                return int(f.read()) >= self.seq
        except (OSError, ValueError):
            return False

    def take(self):
        with open("mrseq", "w") as f:
            f.write(str(self.seq))

    def report(self, status, message):
        text = json.dumps([{
            "version": self.format, "timestampUTC": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "status": {"name": self.full_name, "operation": self.operation, "status": status,
                       "code": "0", "formattedMessage": {"lang": "en-US", "message": message}}}])
        path = os.path.join(self.status, "%d.status" % self.seq)
        with open(path + ".tmp", "w+") as f:
            f.write(text)
        os.rename(path + ".tmp", path)

    def leave(self, code, status, message):
        self.report(status, message)
        sys.exit(code)

# SPDX-License-Identifier: Apache-2.0
"""A software TPM 2.0 (swtpm) behind a Unix socket, and what can happen to one."""
import pathlib
import shutil
import subprocess
import time

PROVIDERS = ("/usr/lib/*/ossl-modules/tpm2.so", "/usr/lib64/ossl-modules/tpm2.so",
             "/usr/lib/ossl-modules/tpm2.so")
PROGRAMS = ("swtpm", "tpm2_clear", "tpm2_nvdefine", "tpm2_dictionarylockout")


def missing():
    """What of swtpm, tpm2-tools and tpm2-openssl is not installed; None when all is there."""
    lacking = [p for p in PROGRAMS if not shutil.which(p)]
    if not any(list(pathlib.Path("/").glob(p[1:])) for p in PROVIDERS):
        lacking.append("OpenSSL's provider tpm2")
    return ", ".join(lacking) or None


class SoftTpm:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket = self.folder / "tpm"
        self.process = None

    @property
    def device(self):
        return f"swtpm:path={self.socket}"

    def start(self):
        control = pathlib.Path(f"{self.socket}.ctrl")
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}",
             "--server", f"type=unixio,path={self.socket}", "--ctrl",
             f"type=unixio,path={control}", "--flags", "not-need-init,startup-clear"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not (self.socket.exists() and control.exists()):
            assert self.process.poll() is None and time.monotonic() < deadline, "swtpm"
            time.sleep(0.02)
        return self

    def stop(self):
        """The machine's TPM is gone; its state stays for the next start()."""
        if self.process:
            self.process.kill()
            self.process.wait(30)
            self.process = None
        for path in (self.socket, pathlib.Path(f"{self.socket}.ctrl")):
            path.unlink(missing_ok=True)

    def _tool(self, *arguments, check=True):
        return subprocess.run([*arguments, "-T", self.device], check=check, capture_output=True,
                              text=True, timeout=60)

    def clear(self):
        self._tool("tpm2_clear", "-c", "p")

    def lock(self):
        """Guesses a password until the TPM takes none any more."""
        self._tool("tpm2_dictionarylockout", "-s", "-n", "1", "-t", "10000", "-l", "10000")
        self._tool("tpm2_nvdefine", "0x1500001", "-C", "o", "-s", "8", "-p", "right",
                   "-a", "authread|authwrite|ownerread|ownerwrite")
        self._tool("tpm2_nvread", "0x1500001", "-C", "0x1500001", "-P", "wrong", check=False)

    def unlock(self):
        self._tool("tpm2_dictionarylockout", "-c")

    def handles(self):
        return self._tool("tpm2_getcap", "handles-transient").stdout.split()

# SPDX-License-Identifier: Apache-2.0
"""`mooring extension check`: what authors are told of good and bad packages."""
import json
import os
import pathlib
import subprocess

import pytest
from harness.extensions import by_hand, manifest, with_mode, zipped
from harness.process import TREE, program, run

GOOD = "#!/bin/sh\nexit 0\n"
XML = ('<ExtensionImage xmlns="x"><ProviderNameSpace>Contoso.Web</ProviderNameSpace>'
       "<Type>Agent</Type><Version>{}</Version></ExtensionImage>")


@pytest.fixture
def judge(tmp_path):
    """judge(bytes) -> (exit status, {rule: finding}, whole answer) of mooring extension check."""
    def call(data, *options, name="Contoso.Web.Agent__1.0.0.zip"):
        path = tmp_path / name
        path.write_bytes(data)
        done = run([program("mooring"), "extension", "check", path, "-j", *options], dict(os.environ),
                   check=False)
        answer = json.loads(done.stdout)
        return done.returncode, {f["rule"]: f for f in answer["findings"]}, answer
    return call


def package(script=GOOD, more=(), handler="bin/handler", text=None):
    return zipped([("HandlerManifest.json", text or manifest()), (with_mode(handler, 0o100755), script), *more])


# Good ones

def test_a_good_package_has_nothing_but_a_note(judge):
    status, rules, answer = judge(package())
    assert (status, set(rules), answer["errors"], answer["warnings"]) == (0, {"unsigned"}, 0, 0)
    assert (answer["publisher"], answer["type"], answer["version"]) == ("Contoso.Web", "Agent", "1.0.0")


def test_our_own_packages_and_those_in_public_shapes_pass(judge):
    for path in (pathlib.Path(program("mooring")).parent.parent / "extensions").glob("*.zip"):
        assert judge(path.read_bytes(), name=path.name)[0] == 0, path
    for shape in (TREE / "tests/fakes/handlers").iterdir():
        if not shape.is_dir():
            continue
        files = [p for p in sorted(shape.rglob("*")) if p.is_file() and "__pycache__" not in str(p)]
        data = zipped([(str(p.relative_to(shape)), p.read_bytes().replace(b"@VERSION@", b"1.0.0"))
                       for p in files])
        status, rules, answer = judge(data, name="package.zip")
        assert status == 0, (shape, rules)
        assert answer["version"] == "1.0.0"


# Bad ones, by rule

@pytest.mark.parametrize("data, rule, severity", [
    (b"no zip", "archive", "error"),
    (zipped([("../x", "")]), "archive", "error"),
    (zipped([(with_mode("link", 0o120777), "/etc/passwd")]), "archive", "error"),
    (by_hand([("a", b"x", {}), ("A", b"x", {})]), "archive", "error"),
    (zipped([("bin/handler", GOOD)]), "manifest-missing", "error"),
    (package(text="{"), "manifest", "error"),
    (package(text=manifest(disableCommand=None)), "manifest", "error"),
    (package(text=manifest(enableCommand="bin/other enable")), "command-missing", "error"),
    (package(text=manifest(enableCommand="python ./bin/handler")), "command-missing", "error"),
    (package(text=manifest(reportHeartbeat="yes")), "manifest-boolean", "warning"),
    (package(text=manifest(updateMode="WithInstall")), "manifest-update-mode", "warning"),
    (package(text=manifest(supportMultipleExtensions=True)), "manifest-unknown", "warning"),
    (package(text=manifest()[1:-1]), "manifest-array", "warning"),
    (package(text="\ufeff" + manifest()), "manifest-mark", "note"),
    (zipped([("package/HandlerManifest.json", manifest()), ("bin/handler", GOOD)]), "manifest-place", "warning"),
    (package("#!/bin/sh\r\nexit 0\r\n"), "line-ends", "error"),
    (package("\ufeff#!/bin/sh\n"), "script-mark", "error"),
    (package("#!sh\n"), "interpreter", "error"),
    (package("#!/opt/nowhere/bin/ruby9\n"), "interpreter-absent", "warning"),
    (package("#!/usr/bin/env python\n"), "python", "warning"),
    (package("#!/usr/bin/python\n"), "python", "warning"),
    (package("exit 0\n"), "program", "warning"),
    (package(""), "program-empty", "error"),
    (package(more=[("key.pem", "-----BEGIN " + "PRIVATE KEY-----\n")]), "private-key", "warning"),
    (package(more=[("__MACOSX/x", "")]), "rubbish", "note"),
    (zipped([("HandlerManifest.json", manifest()), (with_mode("bin/handler", 0o100644), GOOD)]),
     "execute-bit", "note"),
    (package(more=[("manifest.xml", XML.format("1.0.1"))]), "name-differs", "error"),
    (package(more=[("manifest.xml", XML.format("newest"))]), "version", "error"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_what_is_wrong_is_named_with_a_remedy(judge, data, rule, severity):
    status, rules, _ = judge(data)
    assert rules[rule]["severity"] == severity
    assert rules[rule]["message"] and rules[rule]["remedy"]
    assert status == (72 if any(f["severity"] == "error" for f in rules.values()) else 0)


def test_names_come_from_the_file_the_image_and_the_signing_info(judge):
    assert judge(package(), name="agent.zip")[1]["name-missing"]["severity"] == "error"
    assert judge(package(more=[("manifest.xml", XML.format("2.0.0"))]), name="agent.zip")[2]["version"] == "2.0.0"
    signed = json.loads(manifest())
    signed[0]["signingInfo"] = {"publisher": "contoso.web", "type": "agent", "version": "1.0.1"}
    rules = judge(package(text=json.dumps(signed)))[1]
    assert "unsigned" not in rules and rules["name-differs"]["file"] == "HandlerManifest.json"
    assert judge(package(), name="Contoso.Web.Ag$ent__1.0.0.zip")[1]["name"]["severity"] == "error"


def test_warnings_are_errors_when_asked(judge):
    bad = package("exit 0\n")
    assert judge(bad)[0] == 0 and judge(bad, "--strict")[0] == 72
    assert judge(package(), "--strict")[0] == 0


def test_a_signature_is_checked_against_the_certificate_that_is_given(judge, tmp_path):
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    for name in ("mine", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "2",
                "-addext", "extendedKeyUsage=codeSigning", "-keyout", tmp_path / f"{name}.key", "-out",
                tmp_path / f"{name}.pem")
    data = package()
    (tmp_path / "a.zip").write_bytes(data)
    openssl("cms", "-sign", "-binary", "-in", tmp_path / "a.zip", "-signer", tmp_path / "mine.pem", "-inkey",
            tmp_path / "mine.key", "-outform", "DER", "-out", tmp_path / "a.sig", "-md", "sha256")
    def options(name):
        return "--signature", str(tmp_path / "a.sig"), "--trust", str(tmp_path / f"{name}.pem")
    assert judge(data, *options("mine"))[0] == 0
    status, rules, _ = judge(data, *options("other"))
    assert status == 72 and rules["signature"]["severity"] == "error"
    assert judge(package("#!/bin/sh\n"), *options("mine"))[1]["signature"]["severity"] == "error"


def test_a_signature_as_public_packages_have_it_is_good(judge, tmp_path):
    """SHA-384, a content type of its own, the issuer beside the signer, root known by its owner."""
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=tmp_path)
    (tmp_path / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    (tmp_path / "leaf.ext").write_text("extendedKeyUsage=1.3.6.1.4.1.311.76.8.1,codeSigning\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=root", "-days", "2", "-keyout", "root.key",
            "-out", "root.pem")
    for name, issuer, kind in (("issuer", "root", "ca"), ("leaf", "issuer", "leaf")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
                f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key",
                "-CAcreateserial", "-days", "2", "-extfile", f"{kind}.ext", "-out", f"{name}.pem")
    data = package()
    (tmp_path / "a.zip").write_bytes(data)
    openssl("cms", "-sign", "-binary", "-in", "a.zip", "-signer", "leaf.pem", "-inkey", "leaf.key", "-certfile",
            "issuer.pem", "-outform", "DER", "-out", "a.sig", "-md", "sha384", "-econtent_type", "2.123.456.7.8.9")
    assert judge(data, "--signature", str(tmp_path / "a.sig"), "--trust", str(tmp_path / "root.pem"))[0] == 0


def test_it_needs_no_rights_and_says_it_in_words(tmp_path):
    path = tmp_path / "Contoso.Web.Agent__1.0.0.zip"
    path.write_bytes(package("#!/bin/sh\r\n", more=[("evil\x1b[31m", "")]))
    path.chmod(0o644)
    os.chmod(tmp_path, 0o755)
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", program("mooring"), "extension", "check",
                           path.name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 72 and "\x1b" not in done.stdout
    path.write_bytes(package("#!/bin/sh\r\n"))
    done = subprocess.run([program("mooring"), "extension", "check", path], capture_output=True, text=True,
                          check=False)
    assert "error: bin/handler: its lines end in CR LF" in done.stdout and "[line-ends]: save it" in done.stdout
    assert done.stdout.endswith("1 errors, 0 warnings, 1 notes\n")
    done = subprocess.run([program("mooring"), "extension", "check", tmp_path / "none"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 72 and "AZCM0072" in done.stderr

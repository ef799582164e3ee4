# SPDX-License-Identifier: Apache-2.0
"""Servers that must not be talked to, and a few that may: one table of certificates and handshakes.

    zoo = Zoo(folder)               # zoo.ca_file is what clients trust
    with zoo.open() as servers:     # a server for each animal, all at once
        servers[name].url, .good, .asked

HOST and everything below "localhost" lead to loopback in libcurl without any name server.
"""
import contextlib
import datetime
import ipaddress
import pathlib
import socket
import ssl
import threading
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Use
from cryptography.x509.oid import NameOID

DOMAIN = "moor.localhost"
HOST = f"www.{DOMAIN}"
ADDRESS = "127.0.0.1"
DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.utcnow()
ANSWER = (b"HTTP/1.1 204 Fine\r\nx-ms-request-id: zoo\r\nContent-Length: 0\r\n"
          b"Connection: close\r\n\r\n")

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def dns(*names):
    return [x509.DNSName(n) for n in names]


def addresses(*texts):
    return [x509.IPAddress(ipaddress.ip_address(t)) for t in texts]


class Signer:
    """A certificate with its key; `chain` is what a server sends besides its own."""

    def __init__(self, certificate, key, chain=()):
        self.certificate, self.key, self.chain = certificate, key, list(chain)


def usage(**on):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{n: on.get(n, False) for n in names})


def make(subject, issuer=None, key=None, names=None, days=(-1, 30), digest=hashes.SHA256(), ca=None,
         extensions=()):
    """names: subjectAltName, None for none. ca: BasicConstraints; None for none."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    signer = issuer.key if issuer else key
    issuer_name = (issuer.certificate.subject if issuer
                   else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
    builder = (x509.CertificateBuilder()
               .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
               .issuer_name(issuer_name).public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(NOW + days[0] * DAY).not_valid_after(NOW + days[1] * DAY))
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    if ca is not None:
        builder = builder.add_extension(ca, True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        digest = None
    chain = [issuer.certificate, *issuer.chain] if issuer else []
    return Signer(builder.sign(signer, digest), key, chain)


CA = x509.BasicConstraints(True, None)
NO_CA = x509.BasicConstraints(False, None)
SIGNS = (usage(key_cert_sign=True, crl_sign=True), True)


def rsa_key(bits):
    return rsa.generate_private_key(65537, bits)


class Animal:
    def __init__(self, name, good, signer, host=HOST, chain=None, **tls):
        self.name, self.good, self.signer, self.host, self.tls = name, good, signer, host, tls
        self.chain = signer.chain if chain is None and signer else chain


def protocol(low=TLS12, high=TLS13, ciphers="ALL:@SECLEVEL=0"):
    return {"low": low, "high": high, "ciphers": ciphers}


class Zoo:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.root = make("Zoo CA", ca=CA, extensions=[SIGNS])
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(self.pem(self.root.certificate))
        self.animals = [*self._good(), *self._names(), *self._times(), *self._issuers(),
                        *self._uses(), *self._weak(), *self._protocols()]

    @staticmethod
    def pem(certificate):
        return certificate.public_bytes(serialization.Encoding.PEM)

    def leaf(self, subject="zoo", issuer=None, names=None, bare=False, **how):
        """A server's certificate for HOST by the root, unless told otherwise."""
        names = None if bare else dns(HOST) if names is None else names
        return make(subject, issuer or self.root, names=names, **how)

    def middle(self, issuer=None, subject="Zoo Middle CA", ca=CA, extensions=(SIGNS,), **how):
        return make(subject, issuer or self.root, ca=ca, extensions=extensions, **how)

    # What is fine

    def _good(self):
        def good(name, signer, **how):
            return Animal(name, True, signer, **how)
        permitted = x509.NameConstraints(dns(DOMAIN), None)
        yield good("the exact name", self.leaf())
        yield good("the name in capitals", self.leaf(names=dns(HOST.upper())))
        yield good("a wildcard for one label", self.leaf(names=dns(f"*.{DOMAIN}")))
        yield good("one of many names", self.leaf(names=dns("a.example", HOST, "b.example")))
        yield good("a common name that says nothing", self.leaf("other.example"))
        yield good("the address", self.leaf(names=addresses(ADDRESS)), host=ADDRESS)
        yield good("an issuer in between", self.leaf(issuer=self.middle()))
        yield good("two issuers in between", self.leaf(issuer=self.middle(self.middle(subject="M1"))))
        yield good("RSA 2048", self.leaf(key=rsa_key(2048)))
        yield good("P-384", self.leaf(key=ec.generate_private_key(ec.SECP384R1())))
        yield good("TLS 1.2 only", self.leaf(), **protocol(TLS12, TLS12))
        yield good("TLS 1.3 only", self.leaf(), **protocol(TLS13, TLS13))
        yield good("extended use for servers",
                   self.leaf(extensions=[(x509.ExtendedKeyUsage([Use.SERVER_AUTH]), False)]))
        yield good("name constraints that permit it", self.leaf(
            issuer=self.middle(extensions=[SIGNS, (permitted, True)])))

    # What is not

    def _names(self):
        def bad(name, names, host=HOST, subject="zoo", **how):
            return Animal(name, False, self.leaf(subject, names=names, **how), host=host)
        yield bad("another name", dns("other.example"))
        yield bad("another name, and the right common name", dns("other.example"), subject=HOST)
        yield bad("the common name alone", None, subject=HOST, bare=True)
        yield bad("the common name beside an address", addresses(ADDRESS), subject=HOST)
        yield bad("a neighbour's name", dns(f"ww.{DOMAIN}"))
        yield bad("a longer name", dns(f"x{HOST}"))
        yield bad("a name that goes on", dns(f"{HOST}.example"))
        yield bad("the domain of the name", dns(DOMAIN))
        yield bad("a name below", dns(f"a.{HOST}"))
        yield bad("a wildcard for two labels", dns(f"*.{DOMAIN}"), host=f"a.b.{DOMAIN}")
        yield bad("a wildcard for no label", dns(f"*.{DOMAIN}"), host=DOMAIN)
        yield bad("a wildcard that is the whole", dns("*"))
        yield bad("two wildcards", dns("*.*.localhost"))
        yield bad("a wildcard in the middle", dns("www.*.localhost"))
        yield bad("a wildcard in a part", dns(f"w*.{DOMAIN}"))
        yield bad("a wildcard at the end of a part", dns(f"*w.{DOMAIN}"))
        yield bad("the name and a NUL", dns(f"{HOST}\0.example"))
        yield bad("a mail address", [x509.RFC822Name(f"a@{HOST}")])
        yield bad("a URI", [x509.UniformResourceIdentifier(f"https://{HOST}/")])
        yield bad("another address", addresses("127.0.0.2"), host=ADDRESS)
        yield bad("the address as a name", dns(ADDRESS), host=ADDRESS)
        yield bad("the address as common name", None, host=ADDRESS, subject=ADDRESS, bare=True)
        yield bad("a wildcard for an address", dns("*.0.0.1"), host=ADDRESS)
        yield bad("an address for a name", addresses(ADDRESS))

    def _times(self):
        def bad(name, signer):
            return Animal(name, False, signer)
        yield bad("expired yesterday", self.leaf(days=(-30, -1)))
        yield bad("expired years ago", self.leaf(days=(-3000, -2000)))
        yield bad("not yet valid", self.leaf(days=(1, 30)))
        yield bad("an expired issuer", self.leaf(issuer=self.middle(days=(-30, -1))))
        yield bad("an issuer that is not yet valid", self.leaf(issuer=self.middle(days=(1, 30))))

    def _issuers(self):
        def bad(name, signer, **how):
            return Animal(name, False, signer, **how)
        impostor = make("Zoo CA", ca=CA, extensions=[SIGNS])
        stranger = make("Stranger CA", ca=CA, extensions=[SIGNS])
        excluded = x509.NameConstraints(None, dns(DOMAIN))
        elsewhere = x509.NameConstraints(dns("other.example"), None)
        no_addresses = x509.NameConstraints(
            None, [x509.IPAddress(ipaddress.ip_network("0.0.0.0/0"))])
        short = self.middle(ca=x509.BasicConstraints(True, 0), subject="Short")
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
        yield bad("self-signed", make(HOST, names=dns(HOST)))
        yield bad("self-signed, a CA", make(HOST, names=dns(HOST), ca=CA))
        yield bad("an unknown issuer", self.leaf(issuer=stranger))
        yield bad("an issuer of the same name", self.leaf(issuer=impostor))
        yield bad("an issuer in between that is missing", self.leaf(issuer=self.middle()), chain=[])
        yield bad("an issuer that is no CA", self.leaf(issuer=self.middle(ca=NO_CA, extensions=())))
        yield bad("an issuer that is another server", self.leaf(issuer=self.leaf()))
        yield bad("an issuer that may not sign", self.leaf(
            issuer=self.middle(extensions=[(usage(digital_signature=True), True)])))
        yield bad("a chain that is too long", self.leaf(issuer=self.middle(short, "Too deep")))
        yield bad("name constraints that exclude it",
                  self.leaf(issuer=self.middle(extensions=[SIGNS, (excluded, True)])))
        yield bad("name constraints for another name",
                  self.leaf(issuer=self.middle(extensions=[SIGNS, (elsewhere, True)])))
        yield bad("name constraints without addresses", self.leaf(
            names=addresses(ADDRESS), issuer=self.middle(extensions=[SIGNS, (no_addresses, True)])),
            host=ADDRESS)
        yield bad("an extension that must be known", self.leaf(extensions=[(unknown, True)]))
        yield bad("an issuer with an extension that must be known", self.leaf(
            issuer=self.middle(extensions=[SIGNS, (unknown, True)])))

    def _uses(self):
        def bad(name, *uses):
            return Animal(name, False, self.leaf(extensions=[(x509.ExtendedKeyUsage(uses), False)]))
        client = (x509.ExtendedKeyUsage([Use.CLIENT_AUTH]), False)
        yield bad("for clients only", Use.CLIENT_AUTH)
        yield bad("for code only", Use.CODE_SIGNING)
        yield bad("for mail and times", Use.EMAIL_PROTECTION, Use.TIME_STAMPING)
        yield Animal("an issuer for clients only", False,
                     self.leaf(issuer=self.middle(extensions=[SIGNS, client])))

    def _weak(self):
        def bad(name, signer):
            return Animal(name, False, signer)
        key = rsa_key(2048)
        yield bad("SHA-1", self.leaf(digest=hashes.SHA1()))
        yield bad("an issuer by SHA-1", self.leaf(issuer=self.middle(digest=hashes.SHA1())))
        yield bad("MD5", self.leaf(issuer=self.middle(key=key), digest=hashes.MD5()))
        yield bad("RSA 1024", self.leaf(key=rsa_key(1024)))
        yield bad("an issuer with RSA 1024", self.leaf(issuer=self.middle(key=rsa_key(1024))))
        yield bad("P-192", self.leaf(key=ec.generate_private_key(ec.SECP192R1())))

    def _protocols(self):
        def bad(name, **tls):
            return Animal(name, False, self.leaf(key=rsa_key(2048)), **tls)
        yield bad("TLS 1.0", **protocol(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1))
        yield bad("TLS 1.1", **protocol(ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1))
        yield bad("ciphers without encryption", **protocol(TLS12, TLS12, "eNULL:@SECLEVEL=0"))
        yield bad("no certificate", **protocol(TLS12, TLS12, "aNULL:@SECLEVEL=0"))
        yield Animal("no TLS", False, None)

    # Serving

    def context(self, animal):
        """None: it speaks without TLS."""
        if not animal.signer:
            return None
        path = self.folder / f"{self.animals.index(animal)}.pem"
        if not path.exists():
            path.write_bytes(
                self.pem(animal.signer.certificate) + b"".join(map(self.pem, animal.chain))
                + animal.signer.key.private_bytes(serialization.Encoding.PEM,
                                                  serialization.PrivateFormat.TraditionalOpenSSL
                                                  if not isinstance(animal.signer.key,
                                                                    ed25519.Ed25519PrivateKey)
                                                  else serialization.PrivateFormat.PKCS8,
                                                  serialization.NoEncryption()))
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        how = {**protocol(), **animal.tls}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            c.minimum_version, c.maximum_version = how["low"], how["high"]
        c.set_ciphers(how["ciphers"])
        c.load_cert_chain(path)
        return c

    @contextlib.contextmanager
    def open(self):
        servers = {a.name: Server(self, a) for a in self.animals}
        assert len(servers) == len(self.animals), "two of one name"
        try:
            yield servers
        finally:
            for s in servers.values():
                s.close()


class Server:
    """Counts connections, and remembers what it was asked: for a bad one that must stay empty."""

    def __init__(self, zoo, animal):
        self.good, self.name = animal.good, animal.name
        self.context = zoo.context(animal)
        self.asked, self.tried = [], 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=20)
        self.url = f"https://{animal.host}:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.tried += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        s.settimeout(30)
        with contextlib.suppress(OSError), s:
            t = self.context.wrap_socket(s, server_side=True) if self.context else s
            got = t.recv(65536)
            # Without TLS what comes is a handshake; a request would begin with its method.
            if got and (self.context or got[:1].isalpha()):
                self.asked.append(got)
                t.sendall(ANSWER)
                t.recv(65536)

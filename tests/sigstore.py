"""Serve a Sigstore of our own on this machine: sign-in, certificates and the log, with its keys.

The client code is the real one. Only the root of trust, which it would download, is ours.
"""

import base64
import hashlib
import json
import struct
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.local_http import serving

ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")  # the provider that vouches for a person
TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")  # of the log of certificates
SECRET = "0" * 32
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


class Sigstore:
    """The keys of all services, and what they answer."""

    def __init__(self, person: str) -> None:
        self.person = person  # who signs in
        self.url = ""
        self.authority, self.certificates, self.log = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.root = self._certificate(None, self.authority.public_key(), []).sign(
            self.authority, hashes.SHA256()
        )

    def trust(self) -> str:
        """Return the client's configuration, with our keys and addresses."""
        start = {"start": (self.now - timedelta(days=1)).isoformat().replace("+00:00", "Z")}
        service = {"url": self.url, "majorApiVersion": 1, "validFor": start, "operator": "tests"}

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            return {
                "baseUrl": self.url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": _b64(_public(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": start,
                },
                "logId": {"keyId": _b64(_id(key))},
            }

        authority = {
            "subject": {"organization": "tests", "commonName": "tests"},
            "uri": self.url,
            "certChain": {"certificates": [{"rawBytes": _b64(self.root.public_bytes(DER))}]},
            "validFor": start,
        }
        kinds = "application/vnd.dev.sigstore."
        content = {
            "mediaType": f"{kinds}clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": f"{kinds}trustedroot+json;version=0.1",
                "tlogs": [log(self.log)],
                "certificateAuthorities": [authority],
                "ctlogs": [log(self.certificates)],
                "timestampAuthorities": [],
            },
            "signingConfig": {
                "mediaType": f"{kinds}signingconfig.v0.2+json",
                "caUrls": [service],
                "oidcUrls": [service],
                "rekorTlogUrls": [service],
                "tsaUrls": [],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaConfig": {"selector": "ANY"},
            },
        }
        return json.dumps(content)

    def token(self) -> str:
        """Return the token that the provider gives to who signed in."""
        now = int(datetime.now(UTC).timestamp())
        claims = {"iss": self.url, "sub": self.person, "aud": "sigstore"}
        return jwt.encode({**claims, "iat": now, "exp": now + 300}, SECRET, algorithm="HS256")

    def certify(self, token: str, request: bytes) -> list[str]:
        """Return a short-lived certificate that binds the request's key to the token's person."""
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="sigstore")
        key: Any = x509.load_pem_x509_csr(request).public_key()
        own = [
            (x509.SubjectAlternativeName([x509.RFC822Name(claims["sub"])]), True),
            (x509.UnrecognizedExtension(ISSUER, claims["iss"].encode()), False),
        ]
        first = self._certificate(self.root, key, own)
        signed = first.sign(self.authority, hashes.SHA256())
        stamp = self._timestamp(signed.tbs_certificate_bytes)
        stamped = first.add_extension(x509.UnrecognizedExtension(TIMESTAMPS, stamp), False)
        chain = [stamped.sign(self.authority, hashes.SHA256()), self.root]
        return [each.public_bytes(PEM).decode() for each in chain]

    def _certificate(
        self, issuer: x509.Certificate | None, key: ec.EllipticCurvePublicKey, own: list[Any]
    ) -> x509.CertificateBuilder:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key())
        uses = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only", "crl_sign"), False,
        )  # fmt: skip
        usage = x509.KeyUsage(digital_signature=bool(issuer), key_cert_sign=not issuer, **uses)
        built = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]) if issuer else name)
            .issuer_name(name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(minutes=1))
            .not_valid_after(self.now + timedelta(minutes=10))
            .add_extension(x509.BasicConstraints(ca=not issuer, path_length=None), True)
            .add_extension(usage, True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
            .add_extension(authority, False)
        )
        if issuer:
            signs_code = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
            built = built.add_extension(signs_code, False)
        for extension, is_critical in own:
            built = built.add_extension(extension, is_critical)
        return built

    def _timestamp(self, certificate: bytes) -> bytes:
        """Return the signed timestamp of a certificate (RFC 6962, section 3.3)."""
        time = int(self.now.timestamp() * 1000)
        length = struct.pack("!I", len(certificate))[1:]
        entry = _id(self.authority) + length + certificate
        said = struct.pack("!BBQH", 0, 0, time, 1) + entry + b"\0\0"
        signed = self.certificates.sign(said, ec.ECDSA(hashes.SHA256()))
        stamp = b"\0" + _id(self.certificates) + struct.pack("!Q", time) + b"\0\0\x04\x03"
        stamp += struct.pack("!H", len(signed)) + signed
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        return b"\x04" + bytes([len(listed)]) + listed  # fits one byte: DER's short form

    def record(self, proposed: dict[str, Any]) -> dict[str, Any]:
        """Return the entry of a log that holds this one alone."""
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        (verifier,) = content["verifiers"]
        signatures = [
            {"signature": each["sig"], "verifier": verifier} for each in envelope["signatures"]
        ]
        payload = base64.b64decode(envelope["payload"])
        body = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": _hash(content["envelope"].encode()),
                "payloadHash": _hash(payload),
                "signatures": signatures,
            },
        }
        text = rfc8785.dumps(body)
        root = hashlib.sha256(b"\0" + text).digest()
        note = f"tests - 1\n1\n{_b64(root)}\n"
        checkpoint = f"{note}\n\u2014 tests {_b64(_id(self.log)[:4] + self._sign(note.encode()))}\n"
        entry = {
            "body": _b64(text),
            "integratedTime": int(datetime.now(UTC).timestamp()),
            "logID": _id(self.log).hex(),
            "logIndex": 0,
        }
        proof = {
            "checkpoint": checkpoint, "hashes": [], "logIndex": 0, "rootHash": root.hex(),
            "treeSize": 1,
        }  # fmt: skip
        promise = _b64(self._sign(rfc8785.dumps(entry)))
        entry["verification"] = {"inclusionProof": proof, "signedEntryTimestamp": promise}
        return {root.hex(): entry}

    def _sign(self, data: bytes) -> bytes:
        return self.log.sign(data, ec.ECDSA(hashes.SHA256()))


@contextmanager
def serve(person: str) -> Iterator[Sigstore]:
    """Serve a Sigstore at which this person signs in without a question."""
    own = Sigstore(person)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def answer(self, content: Any, status: int = 200, **headers: str) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            asked = urllib.parse.urlsplit(self.path)
            if asked.path == "/.well-known/openid-configuration":
                at = {"authorization_endpoint": f"{own.url}/auth"}
                return self.answer(at | {"token_endpoint": f"{own.url}/token"})
            wanted = dict(urllib.parse.parse_qsl(asked.query))
            back = urllib.parse.urlencode({"code": "1", "state": wanted["state"]})
            return self.answer({}, 302, Location=f"{wanted['redirect_uri']}?{back}")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/token":
                return self.answer({"access_token": own.token()})
            if self.path == "/api/v1/log/entries":
                return self.answer(own.record(json.loads(body)), 201)
            token = self.headers["Authorization"].removeprefix("Bearer ")
            request = base64.b64decode(json.loads(body)["certificateSigningRequest"])
            chain = {"certificates": own.certify(token, request)}
            return self.answer({"signedCertificateEmbeddedSct": {"chain": chain}}, 201)

    with serving(Handler) as port:
        own.url = f"http://127.0.0.1:{port}"
        yield own


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _hash(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(DER, info)


def _id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_public(key)).digest()

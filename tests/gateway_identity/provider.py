"""A small OpenID provider on 127.0.0.1, for tests: real HTTP, own keys, and faults to order."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key

CLIENT_ID, CLIENT_SECRET = "gateway", "s3cret/with:signs"
SUBJECT = "ann"


class FakeProvider:
    """What it says can be changed by its fields; `asked` counts the requests by path."""

    def __init__(self) -> None:
        self.issuer = ""
        self.keys: list[Key] = [new_key("k1")]
        self.asked: dict[str, int] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.said: dict[str, Any] = {"amr": ["pwd", "mfa"]}
        """Claims of the next id tokens, beside the usual ones or in their place; None leaves one out."""
        self.header: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, bytes]] = {}
        """Other answers by path."""
        self.late_s: dict[str, float] = {}
        """Seconds before the answer of a path."""

    def rotate(self, kid: str) -> None:
        """Sign with a new key; the earlier ones are gone."""
        self.keys = [new_key(kid)]

    def metadata(self) -> dict[str, Any]:
        """Return what the discovery says."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }

    def jwks(self) -> dict[str, Any]:
        """Return the public keys."""
        return {"keys": [{**key.as_dict(private=False), "use": "sig"} for key in self.keys]}

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        """Return a token of this provider."""
        key = self.keys[0]
        return jwt.encode({"alg": "ES256", "kid": key.kid, **(header or {})}, claims, key)

    def access_token(self, audience: str, **more: Any) -> str:
        """Return an access token of the program `erp`."""
        now = int(time.time())
        usual = {"iss": self.issuer, "sub": "erp", "aud": audience, "iat": now, "exp": now + 300}
        return self.sign(usual | more, {"typ": "at+jwt"})

    def authorise(self, address: str) -> str:
        """Let SUBJECT sign in where a browser was sent; return the address that the browser comes back to."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]})

    def exchange(self, form: dict[str, str], login: str) -> tuple[int, dict[str, Any]]:
        """Return status and answer of the token endpoint; a code is good once."""
        asked = self.codes.pop(form.get("code", ""), None)
        if login != f"{CLIENT_ID}:{CLIENT_SECRET.replace('/', '%2F').replace(':', '%3A')}":
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["redirect_uri"] != form["redirect_uri"]
            or asked["code_challenge"] != challenge
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims: dict[str, Any] = {"iss": self.issuer, "sub": SUBJECT, "aud": CLIENT_ID, "iat": now}
        claims |= {"exp": now + 300, "nonce": asked["nonce"], "auth_time": now, **self.said}
        claims = {name: value for name, value in claims.items() if value is not None}
        return 200, {"id_token": self.sign(claims, self.header), "token_type": "Bearer"}


def new_key(kid: str) -> Key:
    """Return a new key for signatures."""
    return ECKey.generate_key("P-256", {"kid": kid})


@contextmanager
def running() -> Iterator[FakeProvider]:
    """Run a provider."""
    fake = FakeProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._do(lambda: fake.metadata() if "well-known" in self.path else fake.jwks())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            login = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            status, answer = fake.exchange(form, login)
            self._send(status, json.dumps(answer).encode())

        def _do(self, make: Any) -> None:
            path = urlsplit(self.path).path
            fake.asked[path] = fake.asked.get(path, 0) + 1
            time.sleep(fake.late_s.get(path, 0))
            status, body = fake.answers.get(path) or (200, json.dumps(make()).encode())
            self._send(status, body)

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # the client did not wait for all of it

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()

"""A schema registry in this process, for what the real one does not do on demand: fail, hang, forget."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeRegistry:
    """As much of the Confluent-compatible API as the product asks for, with faults to switch on."""

    def __init__(self) -> None:
        self.schemas: list[tuple[str, str]] = []
        """(subject, schema); the id is the position, from 1."""
        self.references: dict[int, list[dict[str, Any]]] = {}
        """What a schema refers to, by its id: name, subject, version."""
        self.levels: dict[str, str] = {}
        self.requests: list[str] = []
        self.fault: tuple[int, Any] | None = None
        """Answer everything with this status and body."""
        self.delay_seconds = 0.0
        self.answers = threading.Event()
        """Not set: requests are taken, and answered once it is."""
        self.answers.set()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fake.requests.append(f"{self.command} {self.path.partition('?')[0]}")
                time.sleep(fake.delay_seconds)
                fake.answers.wait()
                request = json.loads(body) if body else {}
                status, answer = fake.fault or fake.handle(self.command, self.path, request)
                raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def handle(self, method: str, path: str, request: dict[str, Any]) -> tuple[int, Any]:
        parts = path.partition("?")[0].strip("/").split("/")
        if method == "PUT":
            self.levels[parts[1]] = request["compatibility"]
            return 200, request
        if parts[0] == "schemas":
            schema_id = int(parts[2])
            if not 1 <= schema_id <= len(self.schemas):
                return 404, {"error_code": 40403, "message": "Schema not found"}
            return 200, self._told(schema_id)
        if method == "GET":
            return self._subjects(parts[1:])
        entry = (parts[1], request["schema"])
        if len(parts) == 3 and entry not in self.schemas:
            self.schemas.append(entry)
        if entry not in self.schemas:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        own = [schema for subject, schema in self.schemas if subject == parts[1]]
        return 200, {
            "id": self.schemas.index(entry) + 1,
            "version": own.index(request["schema"]) + 1,
            "subject": parts[1],
            "schema": request["schema"],
        }

    def _told(self, schema_id: int) -> dict[str, Any]:
        references = self.references.get(schema_id)
        return {
            "schema": self.schemas[schema_id - 1][1],
            **({"references": references} if references else {}),
        }

    def _subjects(self, parts: list[str]) -> tuple[int, Any]:
        """Answer `/subjects[/<subject>/versions[/<version>]]`."""
        if not parts:
            return 200, list(dict.fromkeys(subject for subject, _ in self.schemas))
        subject = urllib.parse.unquote(parts[0])
        ids = [number for number, (name, _) in enumerate(self.schemas, 1) if name == subject]
        if len(parts) == 2:
            return 200, list(range(1, len(ids) + 1))
        version = int(parts[2])
        if not 1 <= version <= len(ids):
            return 404, {"error_code": 40402, "message": "Version not found"}
        schema_id = ids[version - 1]
        return 200, {"subject": subject, "version": version, "id": schema_id, **self._told(schema_id)}

    def add(
        self,
        text: str,
        references: list[dict[str, Any]] | None = None,
        subject: str = "payments-upstream",
    ) -> int:
        """Register a schema behind our back; return its id."""
        self.schemas.append((subject, text))
        if references:
            self.references[len(self.schemas)] = references
        return len(self.schemas)

    def stop(self) -> None:
        self.answers.set()
        self.server.shutdown()
        self.server.server_close()

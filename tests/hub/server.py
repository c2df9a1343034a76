"""A hub of one folder: what its client asks for over HTTP, and what it uploads."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Repositories are `root/owner/name`; there is one revision, `SHA`, called main."""

    root: Path

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, body: bool = True) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"] and parts[4:5] == ["tree"]:
            self.tree("/".join(parts[2:4]))
        elif parts[:2] == ["api", "models"]:
            self.info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        elif len(parts) > 4 and parts[2] == "resolve" and parts[3] in ("main", SHA):
            self.file(self.root / parts[0] / parts[1] / "/".join(parts[4:]), body)
        else:
            self.lost("EntryNotFound")

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[-1] == "create":
            asked = json.loads(sent)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            (self.root / name).mkdir(parents=True, exist_ok=True)
            self.answer({"url": f"http://{self.headers['Host']}/{name}", "name": name})
        elif "preupload" in parts:
            files = json.loads(sent)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                     for f in files]  # fmt: skip
            self.answer({"files": modes})
        elif "commit" in parts:
            self.commit("/".join(parts[2:4]), sent)
        else:
            self.answer({})

    def commit(self, name: str, sent: bytes) -> None:
        for line in map(json.loads, sent.splitlines()):
            if line["key"] == "file":
                path = self.root / name / line["value"]["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(base64.b64decode(line["value"]["content"]))
        url = f"http://{self.headers['Host']}/{name}/commit/{SHA}"
        self.answer({"commitUrl": url, "commitOid": SHA, "hookOutput": "", "success": True})

    def info(self, name: str, revision: str) -> None:
        folder = self.root / name
        if not folder.is_dir():
            return self.lost("RepoNotFound")
        if revision not in ("main", SHA):
            return self.lost("RevisionNotFound")
        files = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
        found = {"id": name, "sha": SHA, "siblings": [{"rfilename": f} for f in files]}
        return self.answer({**found, "private": False, "tags": [], "downloads": 0, "likes": 0})

    def tree(self, name: str) -> None:
        folder = self.root / name
        self.answer([
            {"type": "file", "path": p.relative_to(folder).as_posix(), "size": p.stat().st_size,
             "oid": hashlib.sha1(p.read_bytes()).hexdigest()}
            for p in folder.rglob("*") if p.is_file()
        ])  # fmt: skip

    def file(self, path: Path, body: bool) -> None:
        if not path.is_file():
            return self.lost("EntryNotFound")
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", SHA)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)
        return None

    def lost(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, plain: Any) -> None:
        data = json.dumps(plain).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The address of a hub of the repositories under `root`."""
    handler = type("Here", (Hub,), {"root": root})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

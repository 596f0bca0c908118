# ruff: noqa: T201  -- stdout is the wire of the one, stderr the log of the other
"""A server of the older handshake, written by hand: whatever `tools.json` in its folder lists, it offers.

Its answers are in `answers.json`, by tool: a result, or an `error` of the protocol. `--http PORT`: not over stdio.
What `progress.json` holds, a list of objects as text, it says before each answer, whatever numbers that may be. Each
start adds a letter to `starts`.
"""

import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def read(name: str) -> Any:
    path = Path.cwd() / name
    return json.loads(path.read_text()) if path.exists() else {}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "initialize":
            version = {"protocolVersion": "2025-06-18", "serverInfo": {"name": "old", "version": "1"}}
            return {"result": {**version, "capabilities": {"tools": {"listChanged": True}}}}
        case "tools/list":
            tools, start = read("tools.json"), int(params.get("cursor", 0))
            more = {"nextCursor": str(start + 2)} if start + 2 < len(tools) else {}
            return {"result": {"tools": tools[start : start + 2], **more}}
        case "tools/call":
            given = read("answers.json").get(params["name"], {"content": [{"type": "text", "text": "done"}]})
            return given if "error" in given else {"result": given}
        case _:
            return {"error": {"code": -32601, "message": f"no method {method}"}}


def say(**message: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


class Web(BaseHTTPRequestHandler):
    """The same over HTTP. `faults.json` says by method which status comes instead of an answer."""

    session = uuid.uuid4().hex

    def do_POST(self) -> None:
        heard = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "id" not in heard:
            return self.reply(202, b"")
        method = heard["method"]
        if fault := read("faults.json").get(method):
            if fault[0] == 0:
                self.connection.close()
                raise ConnectionAbortedError
            return self.reply(fault[0], b"no", **fault[1])
        if method not in {"initialize", "server/discover"} and self.headers["Mcp-Session-Id"] != self.session:
            return self.reply(404, b"no")
        said = {"jsonrpc": "2.0", "id": heard["id"], **answer(method, heard.get("params", {}))}
        return self.reply(200, json.dumps(said).encode(), **{"Mcp-Session-Id": self.session})

    def do_GET(self) -> None:
        self.reply(405, b"")

    def do_DELETE(self) -> None:
        (Path.cwd() / "deleted").write_text("")
        self.reply(200, b"")

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def tell(params: dict[str, Any]) -> None:
    """Progress, not through `json`: that would refuse to write some of it."""
    for numbers in read("progress.json") or []:
        token = json.dumps(params["_meta"]["progressToken"])
        body = f'{{"jsonrpc": "2.0", "method": "notifications/progress", "params": {{"progressToken": {token}, '
        print(f"{body}{numbers}}}}}", flush=True)


with (Path.cwd() / "starts").open("a") as starts:
    starts.write("x")
if "--http" in sys.argv:
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Web).serve_forever()
for line in sys.stdin:
    heard = json.loads(line)
    if "id" in heard:
        if (Path.cwd() / "announce").exists():
            say(method="notifications/tools/list_changed")
        if heard["method"] == "tools/call":
            tell(heard["params"])
        say(id=heard["id"], **answer(heard["method"], heard.get("params", {})))

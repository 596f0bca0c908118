"""Receivers that are really there: an HTTP server, an SMTP server, and one that never answers."""

import email
import email.policy
import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller


class Hook:
    """An HTTP server that keeps what it is sent; `status` is what it answers."""

    def __init__(self):
        self.got = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.got.append((self.path, json.loads(body)))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.where = f"json://127.0.0.1:{self.server.server_port}"
        self.url = f"{self.where}/hook"

    @property
    def messages(self):
        return [message for _, message in self.got]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Mailbox:
    """An SMTP server's handler that keeps the mails."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 -- the library's
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 kept"


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def smtp():
    """A mail server; `url` sends to it."""
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free())
    server.start()
    box.url = f"mailto://127.0.0.1:{server.port}?from=agents@example.com&to=ops@example.com"
    yield box
    server.stop()


@contextmanager
def silence():
    """A server that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"json://127.0.0.1:{listening.getsockname()[1]}/hook"


def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def dead():
    return f"json://127.0.0.1:{free()}/hook"

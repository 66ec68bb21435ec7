"""What the tests of the page stand on: servers of the demo model, a slow line to them, and a browser that notes faults."""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

# Milliseconds that anything on the page may take.
PATIENCE = 20_000
# Bytes a second of a slow line: a few tokens with their alternatives.
SLOW = 12_000

NOTES = """
window.ran = false;
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


class Server:
    """A `wick serve` of its own, with the options given; ends with the block."""

    def __init__(self, program, *options, conversations=True, port=0):
        self.folder = tempfile.mkdtemp()
        kept = ["--conversations", self.folder] if conversations else ["--no-conversations"]
        command = [program, "serve", "--port", str(port), *kept, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline().strip()
        assert line.startswith("listening on "), line
        self.url = line.removeprefix("listening on ")
        self.port = int(self.url.rsplit(":", 1)[1])
        until(lambda: ask(self.url, "GET", "/health")[0] == 200, "the server is ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Line:
    """A line to a server: it carries bytes as they are, as slowly as it is told, until it is cut."""

    def __init__(self, url):
        self.target = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.rate = None
        self.ends = []
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                try:
                    far = socket.create_connection(self.target)
                except OSError:
                    near.close()
                    continue
                self.ends += [near, far]
                threading.Thread(target=self.carry, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self.carry, args=(far, near, True), daemon=True).start()

    def carry(self, source, sink, slow):
        with contextlib.suppress(OSError):
            while data := source.recv(512):
                if slow and self.rate:
                    time.sleep(len(data) / self.rate)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def ask(url, method, path, body=None, key=None):
    """The status and the JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method)
    if data:
        request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def until(holds, what):
    """Waits until something holds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < PATIENCE / 1000, f"it does not come that {what}"
        time.sleep(0.02)


class Stage:
    """A browser, the server that most tests use, and what they are told on the command line."""

    def __init__(self, browser, url, program, axe):
        self.browser = browser
        self.url = url
        self.program = program
        self.axe = axe

    @contextlib.contextmanager
    def page(self, url=None, at="", **options):
        """A page of a browser that knows nothing; whatever goes wrong in it fails the test."""
        settings = {"viewport": {"width": 1280, "height": 820}, "color_scheme": "light", **options}
        context = self.browser.new_context(**settings)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(NOTES)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        faults = []
        # What the browser says of a status is no fault of the page.
        page.on("console", lambda told: told.type == "error" and "Failed to load" not in told.text and faults.append(told.text))
        page.on("pageerror", lambda error: faults.append(error.stack or error.message))
        page.on("dialog", lambda dialog: (faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.goto((url or self.url) + "/" + at)
        try:
            yield page
            assert not faults, faults
            if page.url.startswith("http"):
                assert page.evaluate("window.violations") == [], page.evaluate("window.violations")
                assert page.evaluate("window.ran") is False, "a script of a text ran"
        finally:
            context.close()


def becomes(page, expression, argument=None):
    """Waits until an expression of the page holds; the page's own policy lets nothing in it evaluate texts."""
    until(lambda: page.evaluate(expression, argument), expression)


def ready(page):
    """Waits until the page knows its model."""
    page.wait_for_selector('#model[data-state="ready"]')
    becomes(page, "document.querySelector('#context-text')?.textContent !== ''")


def say(page, text, turn=None):
    """Sends a message and waits for the end of the answer."""
    before = page.locator("article.turn").count()
    page.fill("#message", text)
    page.press("#message", "Enter")
    answered(page, before + 1 if turn is None else turn)


def answered(page, turns):
    """Waits until so many turns stand there and none is being answered."""
    becomes(page, 
        "turns => document.querySelectorAll('article.turn').length === turns"
        " && !document.querySelector('[data-answering]')",
        turns,
    )


def answer(page, turn=-1):
    """The text of an answer."""
    return page.locator("article.turn .markdown").nth(turn).inner_text()


def address(page):
    """The fragment of the address, once the conversation has one."""
    becomes(page, "location.hash.length > 1")
    return page.evaluate("location.hash")


def kept(page, url):
    """The conversation that is open, as the server keeps it, once it has no more to keep."""
    number = address(page).removeprefix("#/c")
    page.wait_for_timeout(100)
    status, whole = ask(url, "GET", f"/conversations/{number}")
    assert status == 200, whole
    return whole

"""Pages and byte ranges over HTTP."""

import base64
import io
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

ATTEMPTS = 5
PAUSE = 1
TIMEOUT = 60
FIRST_WINDOW = 64 << 10
LARGEST_WINDOW = 64 << 20
# What the PyTorch index (403) and others (404) say of a page that is not there.
MISSING = (403, 404)


class WebProblem(Exception):
    """A URL that does not give what was asked for."""


class NotThere(WebProblem):
    """The server has no such page."""


class Web:
    """Reads URLs; a user name and password in one go to its host alone, and into no message."""

    def __init__(self):
        context = ssl.create_default_context()
        if certificates := os.environ.get("PIP_CERT"):
            context.load_verify_locations(certificates)
        self.opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
        self.logins = {}

    def without_login(self, url):
        """The URL as it is asked for and shown; the login in it is kept."""
        parts = urllib.parse.urlsplit(url)
        login, at, host = parts.netloc.rpartition("@")
        if at:
            words = urllib.parse.unquote(login).encode()
            self.logins[host] = "Basic " + base64.b64encode(words).decode()
        return parts._replace(netloc=host).geturl()

    def open(self, url, **headers):
        """The response; once, without another try."""
        if login := self.logins.get(urllib.parse.urlsplit(url).netloc):
            headers["Authorization"] = login
        request = urllib.request.Request(url)
        for name, value in headers.items():
            # Not sent on where the server points elsewhere.
            request.add_unredirected_header(name, value) if name == "Authorization" else request.add_header(name, value)
        try:
            return self.opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as problem:
            kind = NotThere if problem.code in MISSING else WebProblem
            raise kind(f"{url}: the server says {problem.code} {problem.reason}") from problem

    def page(self, url, accept):
        """The content type, final URL and body of a page."""
        return patiently(url, lambda: self._page(url, accept))

    def _page(self, url, accept):
        with self.open(url, Accept=accept) as response:
            return response.headers.get_content_type(), response.geturl(), response.read()

    def file(self, url):
        """A remote file to seek and read in."""
        return io.BufferedReader(RangeFile(self, url), FIRST_WINDOW)


def patiently(url, read):
    """What `read` gives, tried again while the network or the server fails."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return read()
        except NotThere:
            raise
        except (OSError, WebProblem) as problem:
            if attempt == ATTEMPTS:
                raise problem if isinstance(problem, WebProblem) else WebProblem(f"{url}: {problem}") from problem
            time.sleep(attempt * PAUSE)
    raise AssertionError("no attempt was made")


class RangeFile(io.RawIOBase):
    """A file read by range, in windows that grow while it is read from front to back."""

    def __init__(self, web, url):
        self.web = web
        self.url = url
        self.position = 0
        self.response = None
        self.left = 0
        self.window = FIRST_WINDOW
        self.size = patiently(url, self._learn_size)

    def _learn_size(self):
        with self._ask("bytes=0-0") as response:
            return response.total

    def _ask(self, wanted):
        response = self.web.open(self.url, Range=wanted)
        said = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
        if response.status != 206 or not said:
            response.close()
            raise WebProblem(f"{self.url}: the server does not serve byte ranges (it answers {response.status})")
        response.first, response.last, response.total = map(int, said.groups())
        return response

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.position

    def seek(self, offset, whence=io.SEEK_SET):
        target = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        if target < 0:
            raise ValueError(f"{self.url}: no byte {target} to seek")
        if target != self.position:
            self._drop()
            self.window = FIRST_WINDOW
        self.position = target
        return target

    def readinto(self, buffer):
        if self.position >= self.size or not len(buffer):
            return 0
        return patiently(self.url, lambda: self._read_some(buffer))

    def _read_some(self, buffer):
        if not self.left:
            self._open_window()
        try:
            count = self.response.readinto(memoryview(buffer)[: self.left])
        except OSError:
            self._drop()
            raise
        if not count:
            self._drop()
            raise WebProblem(f"{self.url}: the answer ended early, at byte {self.position}")
        self.position += count
        self.left -= count
        return count

    def _open_window(self):
        last = min(self.position + self.window, self.size) - 1
        self._drop()
        response = self._ask(f"bytes={self.position}-{last}")
        if (response.first, response.last, response.total) != (self.position, last, self.size):
            response.close()
            raise WebProblem(f"{self.url}: asked for bytes {self.position}-{last} of {self.size}, got others")
        self.response = response
        self.left = last + 1 - self.position
        self.window = min(self.window * 4, LARGEST_WINDOW)

    def _drop(self):
        if self.response:
            self.response.close()
        self.response = None
        self.left = 0

    def close(self):
        self._drop()
        super().close()

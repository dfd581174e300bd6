"""The pages of a package index, and the wheels they name."""

import html.parser
import json
import os
import re
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass

PYPI = "https://pypi.org/simple"
JSON_PAGE = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON_PAGE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_SYSTEMS = (
    (r"(many)?linux(_|\d).*?_?x86_64", "linux-x86_64"),
    (r"(many)?linux(_|\d).*?_?aarch64", "linux-aarch64"),
    (r"win_amd64", "windows-x86_64"),
    (r"win_arm64", "windows-aarch64"),
    (r"macosx_.*_arm64", "macos-aarch64"),
    (r"macosx_.*_x86_64", "macos-x86_64"),
)


@dataclass(frozen=True)
class Wheel:
    """One wheel that a page names."""

    filename: str
    url: str
    version: str  # without its local label
    local: str  # the label, or nothing
    build: int
    python: str
    abi: str
    tag: str  # of the platform
    sha256: str | None = None
    requires_python: str | None = None
    metadata: bool = False  # its METADATA lies beside it
    uploaded: str | None = None
    yanked: bool = False

    @property
    def platform(self):
        """The platform as the manifests write it, or nothing."""
        for pattern, name in _SYSTEMS:
            if re.fullmatch(pattern, self.tag.split(".")[0]):
                return name
        return None


def configured_index():
    """The index pip is configured to use."""
    if url := os.environ.get("PIP_INDEX_URL"):
        return url
    for key in ("install.index-url", "global.index-url"):
        command = [sys.executable, "-m", "pip", "config", "get", key]
        asked = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip()
    return PYPI


class Index:
    """An index: `<url>/<project>/` is a project's page."""

    def __init__(self, web, url):
        self.web = web
        self.url = web.without_login(url.rstrip("/"))
        self.pages = {}

    def wheels(self, project):
        """The wheels of a project. Fails with `NotThere` where it has no page."""
        if project not in self.pages:
            kind, url, body = self.web.page(f"{self.url}/{project}/", ACCEPT)
            read = read_json if kind == JSON_PAGE else read_html
            self.pages[project] = [wheel for wheel in read(body, url) if wheel]
        return self.pages[project]


def read_json(body, url):
    """The wheels of a page in JSON (PEP 691)."""
    for file in json.loads(body)["files"]:
        yield parse_wheel(
            file["filename"],
            urllib.parse.urljoin(url, file["url"]),
            sha256=file["hashes"].get("sha256"),
            requires_python=file.get("requires-python"),
            metadata=bool(file.get("core-metadata") or file.get("dist-info-metadata")),
            uploaded=(file.get("upload-time") or "")[:10] or None,
            yanked=bool(file.get("yanked")),
        )


def read_html(body, url):
    """The wheels of a page in HTML (PEP 503)."""
    for attributes in _Anchors.of(body.decode("utf-8", "replace")):
        target, _, fragment = urllib.parse.urljoin(url, attributes.get("href", "")).partition("#")
        filename = urllib.parse.unquote(urllib.parse.urlsplit(target).path.rpartition("/")[2])
        yield parse_wheel(
            filename,
            target,
            sha256=fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None,
            requires_python=attributes.get("data-requires-python"),
            metadata="data-core-metadata" in attributes or "data-dist-info-metadata" in attributes,
            uploaded=attributes.get("data-upload-time", "")[:10] or None,
            yanked="data-yanked" in attributes,
        )


class _Anchors(html.parser.HTMLParser):
    @classmethod
    def of(cls, text):
        parser = cls()
        parser.found = []
        parser.feed(text)
        return parser.found

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.found.append({name: value or "" for name, value in attributes})


def parse_wheel(filename, url, **facts):
    """The wheel of a file name; nothing for other files."""
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) not in (5, 6):
        return None
    version, _, local = parts[1].partition("+")
    build = re.match(r"\d+", parts[2]) if len(parts) == 6 else None
    python, abi, tag = parts[-3:]
    return Wheel(filename, url, version, local, int(build[0]) if build else -1, python, abi, tag, **facts)


def version_key(version):
    """Orders final releases; nothing for versions of any other form."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"\d+(\.\d+)*", version) else None


def fitting(wheels, version, platform):
    """The wheels of a release for a platform, the newest build of each first."""
    there = [wheel for wheel in wheels if (wheel.version, wheel.platform) == (version, platform) and not wheel.yanked]
    return sorted(there, key=lambda wheel: -wheel.build)


def pick(wheels, version, platform, python):
    """The wheel to read for a release on a platform: of the Python that is preferred, the newest build of it."""

    def order(wheel):
        number = re.fullmatch(r"cp(\d)(\d+)", wheel.abi)
        return wheel.abi == python, (int(number[1]), int(number[2])) if number else (0, 0), wheel.build

    return max(fitting(wheels, version, platform), key=order, default=None)

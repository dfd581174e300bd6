"""Real wheels, downloaded once, and the index on 127.0.0.1 that serves them."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from . import project, pypi
from .trees import sha256

TORCH = "torch==2.9.1"
SUMS = "SHA256SUMS"


def bench_folder():
    """Where downloads and work on disk are kept, outside the tree."""
    default = Path.home() / ".cache" / "torchfix-bench"
    return Path(os.environ.get("TORCHFIX_BENCH_DIR", default))


def wheels_folder():
    """torch with its CUDA closure for the running Python, downloaded if it is not there yet."""
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    folder = bench_folder() / f"wheels-{tag}"
    if (folder / SUMS).exists():
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    if not folder.exists():
        project.say(f"downloading {TORCH} and what it needs (4.1 GB) into {folder}")
        download(partial)
        partial.rename(folder)
    verify(folder)
    return folder


def download(folder):
    """Downloads the wheels as pip chooses them."""
    pip = project.tool_commands() / "pip"
    environment = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
    command = [pip, "download", "--quiet", "--no-cache-dir", "--only-binary", ":all:", "--dest", folder, TORCH]
    subprocess.run(command, env=environment, check=True)


def verify(folder):
    """Holds every wheel against the sha256 that the index says, and writes the sums down."""
    project.say(f"checking the wheels in {folder} against the index")
    sums = []
    for wheel in sorted(folder.glob("*.whl")):
        _, expected = pypi.files(pypi.project_of(wheel.name)).get(wheel.name, (None, None))
        actual = sha256(wheel)
        if actual != expected:
            project.give_up(f"{wheel} has sha256 {actual}, the index says {expected}; delete it")
        sums.append(f"{actual}  {wheel.name}\n")
    (folder / SUMS).write_text("".join(sums))


class LoopbackIndex:
    """The running server: `with LoopbackIndex(wheels) as index: index.url`."""

    def __init__(self, wheels, limit=None):
        self.wheels = wheels
        self.limit = limit
        self.process = None
        self.url = None

    def __enter__(self):
        project.build("--example", "loopback-index")
        server = project.TARGET / "release" / "examples" / "loopback-index"
        command = [server, "--wheels", self.wheels]
        if self.limit:
            command += ["--limit", str(self.limit)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            project.give_up(f"{server} does not start")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stats(self):
        """The server's counters."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.url}/__stats") as response:
            return json.load(response)

    def warm(self):
        """Reads the wheels, so that the server takes them from memory."""
        buffer = bytearray(1 << 20)
        for wheel in self.wheels.glob("*.whl"):
            with wheel.open("rb", buffering=0) as content:
                while content.readinto(buffer):
                    pass

"""Where things are, the programs that are compared, and a clean environment for them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target"
TORCHFIX = TARGET / "release" / "torchfix"

# What would send a tool to another index, cache, proxy or environment than the one it is told.
_FOREIGN = ("PIP_", "UV_", "TORCHFIX_", "PYTHON", "CONDA", "VIRTUAL_ENV")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def clean_environment(**additions):
    """The environment without settings that change what an installer does."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.lower() not in _PROXIES
    }
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", **additions}


def build(*arguments):
    """Builds in release mode."""
    subprocess.run(["cargo", "build", "--quiet", "--release", *arguments], cwd=ROOT, check=True)


def tool_commands():
    """The folder with private `pip` and `uv` commands."""
    command = [ROOT / "scripts" / "support" / "tools-venv"]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def uv_command(release):
    """The command of a release of uv other than the newest."""
    folder = TARGET / f"uv-{release}"
    command = folder / "bin" / "uv"
    if not command.exists():
        pip = [tool_commands() / "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run(
            [*pip, "install", "--upgrade", "--target", folder, f"uv=={release}"], check=True, stdout=sys.stderr
        )
    return command


def create_venv(folder, python=sys.executable):
    """An empty virtual environment; its interpreter."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], env=clean_environment(), check=True)
    return Path(folder) / "bin" / "python"


def say(text):
    """Tells the person who waits."""
    print(text, file=sys.stderr, flush=True)


def give_up(text):
    """Ends with a message and status 2."""
    say(f"{Path(sys.argv[0]).name}: {text}")
    sys.exit(2)

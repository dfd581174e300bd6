#!/usr/bin/env python3
"""Files of the package index that this machine uses, by name, each held against the sha256 that the index says.

pypi.py FOLDER FILE...     downloads what is not in FOLDER yet, a few at a time
"""

import hashlib
import json
import os
import re
import sys
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

JSON_PAGE = "application/vnd.pypi.simple.v1+json"
AT_ONCE = 4


def files(project):
    """What the index lists for a project: by file name, the address and the sha256."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    page = f"{index}/{project}/"
    request = urllib.request.Request(page, headers={"Accept": JSON_PAGE})
    with urllib.request.urlopen(request, timeout=60) as response:
        listed = json.load(response)["files"]
    return {file["filename"]: (urllib.parse.urljoin(page, file["url"]), file["hashes"]["sha256"]) for file in listed}


def project_of(file_name):
    """The project that a wheel or an sdist belongs to, as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", re.split(r"-\d", file_name)[0]).lower()


def fetch(folder, file_name):
    """One file; a file that is there already was checked when it came."""
    path = Path(folder) / file_name
    if path.exists():
        return path
    project = project_of(file_name)
    address, expected = files(project).get(file_name, (None, None))
    if not address:
        raise FileNotFoundError(f"the index lists no {file_name} for {project}")
    partial = path.with_name(f"{file_name}.{os.getpid()}.partial")
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(address, timeout=60) as response, partial.open("wb") as content:
            while block := response.read(1 << 20):
                digest.update(block)
                content.write(block)
        if digest.hexdigest() != expected:
            raise ValueError(f"{file_name} has sha256 {digest.hexdigest()}, the index says {expected}")
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def fetch_all(folder, file_names):
    """Several files, in the order in which they are named."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda file_name: fetch(folder, file_name), file_names))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__, end="", file=sys.stderr)
        sys.exit(2)
    try:
        fetch_all(sys.argv[1], sys.argv[2:])
    except (OSError, ValueError) as error:
        print(f"pypi.py: {error}", file=sys.stderr)
        sys.exit(1)

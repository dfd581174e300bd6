"""What lies in a folder, to hold against what lay there before."""

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def untouched(folder):
    """Everything that changes when someone writes into the folder: by path, type, mode, size, inode and time."""
    found = {}
    for path in _paths(folder):
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_size, status.st_ino, status.st_mtime_ns)
    return found


def contents(folder):
    """What the files say: by path, the sha256, a link's target, or that it is a folder."""
    paths = list(_paths(folder))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip((str(path.relative_to(folder)) for path in paths), pool.map(_content, paths)))


def sizes(folder):
    """The size of every file, by path."""
    files = (path for path in _paths(folder) if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def sha256(path):
    """The sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def differences(before, after):
    """What was added, removed and changed, one line each."""
    lines = [f"gone: {path}" for path in sorted(before.keys() - after.keys())]
    lines += [f"new: {path}" for path in sorted(after.keys() - before.keys())]
    lines += [f"changed: {path}" for path in sorted(before.keys() & after.keys()) if before[path] != after[path]]
    return lines


def _paths(folder):
    return sorted(Path(folder).rglob("*"))


def _content(path):
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"-> {os.readlink(path)}"
    if stat.S_ISDIR(mode):
        return "folder"
    return f"{stat.S_IMODE(mode):o} {sha256(path)}"

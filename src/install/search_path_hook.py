"""Lets torch find the libraries of this environment. Written by torchfix; its `.torchfix/additions.json` lists it."""

import sys

FOLDERS = []
PRELOADS = []


class Finder:
    """Finds nothing; when torch is looked for, its search path is made ready."""

    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            sys.meta_path.remove(self)
            prepare()
        return None


def prepare():
    import ctypes
    import os

    site = os.path.dirname(os.path.abspath(__file__))
    for folder in FOLDERS:
        folder = os.path.join(site, *folder.split("/"))
        if os.path.isdir(folder):
            os.add_dll_directory(folder)
    for library in PRELOADS:
        try:
            ctypes.CDLL(os.path.join(site, *library.split("/")))
        except OSError:
            pass  # torch will say what it misses


if sys.platform == "win32":
    sys.meta_path.insert(0, Finder())

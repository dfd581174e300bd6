#!/usr/bin/env python3
"""Builds torch wheels that stand in for the CUDA build for Windows, which no package index here has.

The base is PyPI's torch for Windows, a CPU build. Added are `c10_cuda.dll` and `torch_cuda.dll` (windows/*.c), which
import from the real cudart64_12.dll, cublas64_12.dll and cudnn64_9.dll of NVIDIA's own wheels. Two layouts, each
under the real name torch-2.9.1+cu128-cp312-cp312-win_amd64.whl:

  bundled  NVIDIA's DLLs lie in torch/lib, as in the real wheel
  split    they stay in NVIDIA's wheels, in nvidia/*/bin, which torch requires

Around them two indexes of one make: `<layout>/simple` is PyPI (torch's CPU build, its dependencies and, in split, NVIDIA's
wheels), `<layout>/whl/cu128` and `<layout>/whl/cpu` are PyTorch's. Each folder holds the wheels themselves, for every
project a page `<project>.json` (PEP 691, its addresses relative to the page's own, which ends in /<project>/), and for
every wheel its METADATA as `<wheel>.metadata` (PEP 658). The folders are what `loopback-index --wheels <layout>/simple
--pytorch <layout>/whl` serves.

  stand_in_wheel.py DOWNLOADS WHEELS
"""

import base64
import copy
import csv
import email
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pypi
from trees import sha256

SOURCES = Path(__file__).resolve().parent / "windows"
CUDA = "12.8"
VARIANT = "cu128"
VERSION = "2.9.1"
TORCH = f"torch-{VERSION}-cp312-cp312-win_amd64.whl"
NVIDIA = {
    "nvidia_cuda_runtime_cu12-12.8.90-py3-none-win_amd64.whl": ["cudart64_12.dll"],
    "nvidia_cublas_cu12-12.8.4.1-py3-none-win_amd64.whl": ["cublas64_12.dll", "cublasLt64_12.dll"],
    "nvidia_cudnn_cu12-9.10.2.21-py3-none-win_amd64.whl": ["cudnn"],
}
DEPENDENCIES = [
    "filelock-3.20.0-py3-none-any.whl",
    "fsspec-2025.10.0-py3-none-any.whl",
    "jinja2-3.1.6-py3-none-any.whl",
    "markupsafe-3.0.3-cp312-cp312-win_amd64.whl",
    "mpmath-1.3.0-py3-none-any.whl",
    "networkx-3.5-py3-none-any.whl",
    "setuptools-80.9.0-py3-none-any.whl",
    "sympy-1.14.0-py3-none-any.whl",
    "typing_extensions-4.15.0-py3-none-any.whl",
]
# What the stand-ins import, as a module definition names it; `name == other` is `other` under a name that C can say.
IMPORTS = {
    "cudart64_12.dll": ["cudaDriverGetVersion", "cudaRuntimeGetVersion"],
    "cublas64_12.dll": ["cublasGetProperty"],
    "cudnn64_9.dll": ["cudnnGetVersion"],
    "c10.dll": ["c10_function == ?NUMABind@c10@@YAXH@Z"],
    "torch_cpu.dll": ["torch_cpu_function == ??0Tensor@at@@QEAA@XZ"],
    "c10_cuda.dll": ["torchfix_cuda_driver_version"],
}


def main(downloads, wheels):
    downloads, wheels = Path(downloads), Path(wheels)
    pypi.fetch_all(downloads, [TORCH, *NVIDIA, *DEPENDENCIES])
    partial = wheels.with_name(wheels.name + ".partial")
    for folder in (partial, wheels):
        shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        libraries = compile_libraries(Path(folder))
        for layout in ("bundled", "split"):
            lay_out(layout, downloads, partial / layout, libraries)
    partial.rename(wheels)


def lay_out(layout, downloads, folder, libraries):
    """The indexes of one layout."""
    simple, cuda, cpu = folder / "simple", folder / "whl" / VARIANT, folder / "whl" / "cpu"
    for made in (simple, cuda, cpu):
        made.mkdir(parents=True)
    for name in [TORCH, *DEPENDENCIES, *(NVIDIA if layout == "split" else [])]:
        link(downloads / name, simple / name)
    with Wheel(downloads / TORCH, cpu, "+cpu") as wheel:
        wheel.finish()
    with Wheel(downloads / TORCH, cuda, f"+{VARIANT}") as wheel:
        wheel.say_cuda()
        for library in libraries:
            wheel.add(f"torch/lib/{library.name}", library.read_bytes())
        for name, members in NVIDIA.items():
            if layout == "bundled":
                wheel.take(downloads / name, members)
            else:
                wheel.require(name)
        wheel.finish()
    for made in (simple, cuda, cpu):
        write_pages(made)


def compile_libraries(folder):
    """The two DLLs of torch's CUDA build."""
    for library, names in IMPORTS.items():
        definition = folder / f"{library}.def"
        definition.write_text("\n".join([f"LIBRARY {library}", "EXPORTS", *names, ""]))
        run("x86_64-w64-mingw32-dlltool", "-d", definition, "-l", folder / f"lib{library}.a")
    made = []
    for source, imports in (("c10_cuda.c", ["c10.dll", "cudart64_12.dll"]), ("torch_cuda.c", list(IMPORTS))):
        made.append(folder / Path(source).with_suffix(".dll").name)
        options = ["-shared", "-O1", "-s", "-nostdlib", "-Wl,--no-insert-timestamp"]
        archives = [folder / f"lib{library}.a" for library in imports]
        run("x86_64-w64-mingw32-gcc", *options, "-o", made[-1], SOURCES / source, *archives)
    return made


class Wheel:
    """A wheel of torch that is made from another: members are copied as they are compressed, RECORD is true."""

    def __init__(self, base, folder, label):
        self.base = zipfile.ZipFile(base)
        self.old_info, self.info = f"torch-{VERSION}.dist-info", f"torch-{VERSION}{label}.dist-info"
        self.version = f"{VERSION}{label}"
        self.target = zipfile.ZipFile(folder / base.name.replace(VERSION, self.version), "w", zipfile.ZIP_DEFLATED)
        self.record = []
        self.metadata = (
            self.base.read(f"{self.old_info}/METADATA")
            .decode()
            .replace(f"\nVersion: {VERSION}\n", f"\nVersion: {self.version}\n", 1)
        )
        self.module = self.base.read("torch/version.py").decode().replace(f"'{VERSION}+cpu'", f"'{self.version}'", 1)
        if self.version not in self.module or f"\nVersion: {self.version}\n" not in self.metadata:
            raise ValueError(f"{base} does not say its version as expected")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.target.close()
        self.base.close()

    def say_cuda(self):
        """`torch.version.cuda` as the CUDA build says it."""
        told = self.module.replace("cuda: Optional[str] = None", f"cuda: Optional[str] = '{CUDA}'", 1)
        if told == self.module:
            raise ValueError("torch/version.py does not say `cuda` as expected")
        self.module = told

    def require(self, wheel_name):
        """One more requirement, of just this wheel, on Windows."""
        project, version = pypi.project_of(wheel_name), wheel_name.split("-")[1]
        line = f'Requires-Dist: {project}=={version}; platform_system == "Windows"\n'
        self.metadata = self.metadata.replace("Provides-Extra:", f"{line}Provides-Extra:", 1)

    def add(self, name, content):
        """A member of our own."""
        member = zipfile.ZipInfo(name, (2025, 11, 12, 0, 0, 0))
        member.external_attr = 0o644 << 16
        self.target.writestr(member, content, zipfile.ZIP_DEFLATED)
        self.note(name, content)

    def note(self, name, content):
        """A line of RECORD."""
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        self.record.append([name, f"sha256={digest}", str(len(content))])

    def take(self, path, starts):
        """DLLs of another wheel, into torch/lib."""
        with zipfile.ZipFile(path) as source:
            hashes = read_record(source)
            for member in source.infolist():
                name = member.filename.rpartition("/")[2]
                if name.endswith(".dll") and name.startswith(tuple(starts)):
                    self.copy(source, member, f"torch/lib/{name}", hashes)

    def copy(self, source, member, name, hashes):
        """One member as it is compressed, and its line of RECORD, which the index's hash of that wheel vouches for."""
        source.fp.seek(member.header_offset + 26)
        name_length, extra_length = (int.from_bytes(source.fp.read(2), "little") for _ in range(2))
        source.fp.seek(name_length + extra_length, os.SEEK_CUR)
        copied = copy.copy(member)
        copied.filename, copied.extra, copied.flag_bits = name, b"", member.flag_bits & ~0x08
        copied.header_offset = self.target.start_dir
        output = self.target.fp
        output.seek(self.target.start_dir)
        output.write(copied.FileHeader())
        left = member.compress_size
        while left:
            block = source.fp.read(min(left, 1 << 20))
            if not block:
                raise ValueError(f"{source.filename} ends within {member.filename}")
            output.write(block)
            left -= len(block)
        self.target.start_dir = output.tell()
        self.target.filelist.append(copied)
        self.target.NameToInfo[name] = copied
        self.record.append([name, *hashes[member.filename]])

    def finish(self):
        """What the base holds, with what is new in the files that say so."""
        hashes = read_record(self.base)
        own = {"torch/version.py": self.module, f"{self.old_info}/METADATA": self.metadata}
        for member in self.base.infolist():
            old = member.filename
            name = old.replace(self.old_info, self.info)
            if old in own:
                self.add(name, own[old].encode())
            elif not old.endswith(("/", ".dist-info/RECORD")):
                self.copy(self.base, member, name, hashes)
        record = io.StringIO()
        csv.writer(record, lineterminator="\n").writerows([*self.record, [f"{self.info}/RECORD", "", ""]])
        self.target.writestr(f"{self.info}/RECORD", record.getvalue())


def read_record(wheel):
    """RECORD of a wheel: by path, the hash and the size."""
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/RECORD"))
    rows = csv.reader(io.StringIO(wheel.read(name).decode()))
    return {path: (digest, size) for path, digest, size in rows}


def write_pages(folder):
    """The pages and METADATA files beside the wheels."""
    pages = {}
    for path in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
            metadata = wheel.read(next(name for name in names if name.endswith(".dist-info/METADATA")))
        path.with_name(f"{path.name}.metadata").write_bytes(metadata)
        core = {"sha256": hashlib.sha256(metadata).hexdigest()}
        file = {
            "filename": path.name,
            "url": f"../{path.name.replace('+', '%2B')}",
            "hashes": {"sha256": sha256(path)},
            "requires-python": email.message_from_bytes(metadata)["Requires-Python"],
            "size": path.stat().st_size,
            "core-metadata": core,
            "data-dist-info-metadata": core,
            "yanked": False,
        }
        pages.setdefault(pypi.project_of(path.name), []).append(file)
    for project, files in pages.items():
        page = {"meta": {"api-version": "1.1"}, "name": project, "files": files}
        (folder / f"{project}.json").write_text(json.dumps(page, indent=1) + "\n")


def link(source, target):
    """The file under another name too; copied where links cannot be made."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def run(*command):
    """A command that must succeed."""
    subprocess.run(command, check=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, end="", file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])

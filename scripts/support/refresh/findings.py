"""What a remote wheel says of itself: its METADATA, torch/version.py and its libraries, read by range."""

import ast
import mmap
import re
import shutil
import tempfile
import zipfile

from . import elf, fatbin
from .web import NotThere

# Where the kernels are; torch 1.11 and 1.12 have them in two.
KERNELS = ("torch/lib/libtorch_cuda.so", "torch/lib/libtorch_cuda_cu.so")
CHUNK = 1 << 20
# Names of `.so` files that the loader maps when torch is imported; the rest of the wheel is Python and headers.
_LIBRARY = re.compile(r"(torch|functorch|torch\.libs)/.*\.so(\.\d+)*")
_DECLARED = re.compile(rb"(?:sm|compute)_\d+[af]?(?: (?:sm|compute)_\d+[af]?)*(?=\0)")
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?\s*\(?([^;)]*)\)?\s*(?:;\s*(.*))?")


class BadWheel(Exception):
    """A wheel that does not hold what it should."""


def open_wheel(web, wheel):
    """The remote wheel as a ZIP file."""
    return zipfile.ZipFile(web.file(wheel.url))


def read_metadata(web, wheel):
    """The text of a wheel's METADATA, from beside it or from within."""
    if wheel.metadata:
        try:
            return web.page(wheel.url + ".metadata", "*/*")[2].decode("utf-8", "replace")
        except NotThere:
            pass
    with open_wheel(web, wheel) as archive:
        return metadata_in(archive, wheel)


def metadata_in(archive, wheel):
    """The text of the METADATA in an open wheel."""
    names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
    if len(names) != 1:
        raise BadWheel(f"{wheel.filename} has {len(names)} METADATA files")
    return archive.read(names[0]).decode("utf-8", "replace")


def read_torch(web, wheel, libraries, say):
    """All that is read of a wheel of torch, as plain values for JSON; the libraries only where they are asked for."""
    with open_wheel(web, wheel) as archive:
        metadata = metadata_in(archive, wheel)
        finding = {
            "wheel": wheel.filename,
            "sha256": wheel.sha256,
            "version": read_version(archive.read("torch/version.py").decode()),
            "requires_python": header(metadata, "Requires-Python"),
            "requires": requires(metadata),
            "libraries": {},
        }
        if libraries:
            for info in archive.infolist():
                if _LIBRARY.fullmatch(info.filename):
                    say(f"  {info.filename}, {info.file_size / 1e6:.0f} MB")
                    finding["libraries"][info.filename] = read_library(archive, info, wheel)
    return finding


def kernel_sizes(web, wheels):
    """By ABI tag, the size of the libraries that hold the kernels: only one Python's wheel is read in full."""
    sizes = {}
    for wheel in wheels:
        with open_wheel(web, wheel) as archive:
            found = [info.file_size for info in archive.infolist() if info.filename in KERNELS]
        sizes.setdefault(wheel.abi, sum(found))
    return sizes


def read_library(archive, info, wheel):
    """What one library needs and holds. It is unpacked beside other temporary files: its headers lie at its end."""
    with tempfile.TemporaryFile(prefix="torch-library-") as unpacked:
        with archive.open(info) as packed:
            shutil.copyfileobj(packed, unpacked, CHUNK)
        unpacked.flush()
        try:
            with mmap.mmap(unpacked.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return inspect(data)
        except (elf.NotElf, fatbin.BadFatbin, ValueError) as problem:
            raise BadWheel(f"{wheel.filename}: {info.filename}: {problem}") from problem


def inspect(data):
    """What a library needs and holds."""
    library = elf.Elf(data)
    found = {
        "machine": library.machine,
        "floors": {name: floor for name in ("GLIBC", "GLIBCXX", "CXXABI") if (floor := library.floor(name))},
    }
    if (abi := library.cxx11_abi()) is not None:
        found["cxx11_abi"] = abi
    constants = library.section(".rodata") or (0, 0)
    # What torch.cuda.get_arch_list() answers: the flags it was compiled with, the longest of such texts.
    declared = [match[0] for match in _DECLARED.finditer(data, constants[0], sum(constants))]
    if declared:
        found["declared"] = max(declared, key=len).decode().split()
    if span := library.section(".nv_fatbin"):
        code = fatbin.count(data, *span)
        found["containers"] = code.containers
        found["machine_code"] = {name: code.machine[name] for name in sorted(code.machine, key=fatbin.target_key)}
        found["ptx"] = {name: code.ptx[name] for name in sorted(code.ptx, key=fatbin.target_key)}
        found["kinds"] = {str(kind): code.kinds[kind] for kind in sorted(code.kinds)}
    return found


def read_version(text):
    """The values that torch/version.py sets."""
    values = {}
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        if isinstance(targets[0], ast.Name) and isinstance(statement.value, ast.Constant):
            values[targets[0].id] = statement.value.value
    return values


def header(metadata, name):
    """A field of METADATA, or nothing."""
    head = metadata.partition("\n\n")[0]
    match = re.search(rf"^{re.escape(name)}:\s*(.*?)\s*$", head, re.MULTILINE | re.IGNORECASE)
    return match[1] if match else None


def all_requires(metadata):
    """The Requires-Dist lines of METADATA."""
    head = metadata.partition("\n\n")[0]
    return re.findall(r"^Requires-Dist:\s*(.*?)\s*$", head, re.MULTILINE | re.IGNORECASE)


def requires(metadata):
    """The Requires-Dist lines of METADATA that hold without an extra."""
    return [line for line in all_requires(metadata) if not re.search(r"\bextra\s*==", line)]


def pins(lines, platform=None):
    """What is pinned on a platform: by normalised name, the version after `==`, without what a `.*` leaves open."""
    pinned = {}
    for line in lines:
        match = _REQUIREMENT.fullmatch(line)
        exact = re.fullmatch(r"==\s*([0-9][^,\s]*)", match[3].strip()) if match else None
        if exact and (platform is None or holds(match[4] or "", platform)):
            pinned[re.sub(r"[-_.]+", "-", match[1]).lower()] = exact[1].removesuffix(".*")
    return pinned


def specifier(lines, project, platform):
    """What is asked of a project on a platform; nothing where it is not asked for."""
    for line in lines:
        match = _REQUIREMENT.fullmatch(line)
        if match and match[1].lower() == project and holds(match[4] or "", platform):
            return re.sub(r"\s+", "", match[3])
    return None


def holds(marker, platform):
    """Whether a marker can hold on a platform, by what it says of system and processor."""
    system, _, machine = platform.partition("-")
    names = {"linux": "linux", "win32": "windows", "darwin": "macos", "amd64": "x86_64", "arm64": "aarch64"}
    asked = re.compile(r"(platform_system|sys_platform|platform_machine)\s*==\s*['\"]([^'\"]*)")
    return any(
        all(names.get(value.lower(), value.lower()) in (system, machine) for _, value in asked.findall(part))
        for part in re.split(r"\bor\b", marker)
    )

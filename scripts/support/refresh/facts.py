"""What a finding proves, in the words of manifests/torch.toml."""

import re
from collections import Counter
from dataclasses import dataclass, field

from . import elf, fatbin
from .findings import KERNELS, BadWheel, pins, specifier
from .pages import version_key

# Facts of a row, in the order in which rows write them.
ROW_KEYS = ("cuda", "cudnn", "nccl", "sm", "ptx", "glibc", "cxx11_abi")


@dataclass
class Facts:
    """What one wheel proves of its build."""

    variant: str
    requires_python: str | None
    triton: str | None = None  # what it asks of triton, on this platform
    values: dict = field(default_factory=dict)  # by row key; what is not proved is not in it
    notes: list = field(default_factory=list)


def conclude(finding, platform, toolkits):
    """The facts of a finding. `toolkits` gives the pins of the CUDA toolkits of a line, `{"13.2.2": {...}}`."""
    triton = specifier(finding["requires"], "triton", platform)
    facts = Facts(variant(finding["version"]), finding["requires_python"], triton)
    values = facts.values
    line = finding["version"].get("cuda")
    if line:
        pinned = pins(finding["requires"], platform)
        agreeing = matching_toolkits(pinned, toolkits(line))
        values["cuda"] = agreeing[0] if len(agreeing) == 1 else line
        if len(agreeing) != 1:
            facts.notes.append(
                f"pins agree with {len(agreeing)} CUDA {line} toolkits{': ' * bool(agreeing)}" + ", ".join(agreeing)
            )
        for part in ("cudnn", "nccl"):
            versions = [version for name, version in pinned.items() if name.startswith(f"nvidia-{part}-")]
            if len(versions) == 1:
                values[part] = versions[0]
    libraries = finding["libraries"]
    if line and libraries:
        containers, machine_code, ptx = kernels(libraries)
        if not containers:
            raise BadWheel(f"{finding['wheel']} says CUDA {line}, and there are no kernels in {' and '.join(KERNELS)}")
        values["sm"] = fatbin.common(machine_code, containers)
        values["ptx"] = fatbin.common(ptx, containers)
        facts.notes.append(f"{containers} containers; {counts('sm', machine_code)}; {counts('ptx', ptx)}")
        if missing := missing_in_part(values["sm"], libraries):
            facts.notes.append(missing)
    sizes = finding.get("kernel_sizes", {})
    usual = Counter(sizes.values()).most_common(1)
    if odd := [f"{abi} {size}" for abi, size in sizes.items() if size != usual[0][0]]:
        facts.notes.append(f"the libraries with the kernels have {usual[0][0]} bytes, but in {', '.join(odd)}")
    floors = [library["floors"]["GLIBC"] for library in libraries.values() if "GLIBC" in library["floors"]]
    if floors:
        values["glibc"] = max(floors, key=elf.numbers)
    abis = {library["cxx11_abi"] for library in libraries.values() if "cxx11_abi" in library}
    if len(abis) == 1:
        values["cxx11_abi"] = abis.pop()
    return facts


def without_local(version):
    """A version without its local label."""
    return version.partition("+")[0]


def kernels(libraries):
    """Containers, machine code and PTX, counted over the libraries that hold the kernels."""
    found = [libraries[name] for name in KERNELS if "containers" in libraries.get(name, {})]
    machine_code, ptx = Counter(), Counter()
    for library in found:
        machine_code.update(library["machine_code"])
        ptx.update(library["ptx"])
    return sum(library["containers"] for library in found), machine_code, ptx


def missing_in_part(supported, libraries):
    """Which supported targets a smaller library of torch has no code for: that part may not run there."""
    words = []
    for name, library in libraries.items():
        if library.get("containers") and name not in KERNELS and name.startswith("torch/lib/libtorch_"):
            there = fatbin.common(library["machine_code"], library["containers"])
            if missing := [target for target in supported if target not in there]:
                words.append(f"{name} has no code for {' '.join(missing)}, only for {' '.join(there)}")
    return "; ".join(words)


def counts(title, counted):
    """`sm 8.0 480, 9.0a 9`."""
    return f"{title} " + (", ".join(f"{name} {count}" for name, count in in_order(counted)) or "none")


def in_order(counted):
    """Targets and counts, oldest target first."""
    return sorted(counted.items(), key=lambda item: fatbin.target_key(item[0]))


def variant(version):
    """The variant of a build by its torch/version.py."""
    local = version["__version__"].partition("+")[2]
    if local:
        return local
    if cuda := version.get("cuda"):
        return "cu" + cuda.replace(".", "")
    return "cpu"


def matching_toolkits(pinned, toolkits):
    """The toolkits that what is pinned can come from, in order."""
    if exact := pinned.get("cuda-toolkit"):
        return [patch_level(exact)]
    agreeing = []
    for version, parts in toolkits.items():
        shared = pinned.keys() & parts.keys()
        if shared and all(within(pinned[name], parts[name]) for name in shared):
            agreeing.append(version)
    return sorted(agreeing, key=version_key)


def within(version, prefix):
    """Whether a version begins with the numbers of another."""
    return version == prefix or version.startswith(prefix + ".")


def patch_level(version):
    """A toolkit's version with three numbers: the index has `13.0.3.0` too."""
    numbers = version.split(".")
    while len(numbers) > 3 and numbers[-1] == "0":
        numbers.pop()
    return ".".join(numbers)


def differences(row, facts):
    """What a row says otherwise than the facts: key, the row's value, the wheel's."""
    for key in ROW_KEYS:
        if key in facts.values and not agree(key, row.get(key), facts.values[key]):
            yield key, row.get(key), facts.values[key]


def agree(key, said, found):
    """Whether a row says what was found; where only a toolkit's line is known, any of its patch levels will do."""
    if key == "cuda" and said:
        return within(said, found)
    return (said or []) == found if key == "ptx" else said == found


def pythons(wheels):
    """The Pythons that a build has wheels for, as the manifest writes them: `3.13t` has no lock."""
    tags = {re.fullmatch(r"cp(\d)(\d+)(m?t?)", wheel.python if wheel.abi == "none" else wheel.abi) for wheel in wheels}
    return merged((f"{tag[1]}.{tag[2]}{'t' * tag[3].endswith('t')}" for tag in tags if tag), ())


def merged(some, others):
    """The Pythons of both, oldest first."""
    return sorted({*some, *others}, key=lambda name: (elf.numbers(name.rstrip("t")), name))

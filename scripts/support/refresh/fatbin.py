"""GPU code in a library: what its `.nv_fatbin` section holds, and which of it counts.

The section is a row of containers, one for each compiled source file. Their layout is not documented; what is relied on
here was seen in the output of NVIDIA's `fatbinary` 13.2:

  container  u32 magic, u16 version (1), u16 header size, u64 size of the entries; then the entries
  entry      u16 kind (1 PTX, 2 machine code), u16 version, u32 header size, u64 size of the code; at 28 u32 arch;
             at 40 u64 flags, bit 20 for architecture-specific code (`sm_90a`), bit 21 for family-specific (`sm_100f`)

Headers are plain where the code behind them is compressed.
"""

import struct
from collections import Counter
from dataclasses import dataclass, field

MAGIC = 0xBA55ED50
PTX = 1
MACHINE_CODE = 2
# Single source files are compiled for more than the rest, or for less.
THRESHOLD = 0.9

_MAGIC_BYTES = struct.pack("<I", MAGIC)
_CONTAINER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQ12xI8xQ")
_SPECIFIC = 1 << 20
_FAMILY = 1 << 21


class BadFatbin(Exception):
    """A section that does not read as containers."""


@dataclass
class Code:
    """How many containers there are, and how many hold code for each target, `8.6` or `9.0a`."""

    containers: int = 0
    machine: Counter = field(default_factory=Counter)
    ptx: Counter = field(default_factory=Counter)
    kinds: Counter = field(default_factory=Counter)

    def supported(self, threshold=THRESHOLD):
        """The targets that (nearly) all containers have machine code for."""
        return common(self.machine, self.containers, threshold)

    def forward(self, threshold=THRESHOLD):
        """The targets that (nearly) all containers have PTX for."""
        return common(self.ptx, self.containers, threshold)


def common(counted, containers, threshold=THRESHOLD):
    """The targets that at least `threshold` of the containers have, in order."""
    return sorted((name for name, count in counted.items() if count >= threshold * containers > 0), key=target_key)


def target_key(target):
    """Orders `7.5`, `9.0`, `9.0a`, `10.0`."""
    bare = target.rstrip("af")
    return tuple(map(int, bare.split("."))), target[len(bare) :]


def target(arch, flags):
    """The name of an entry's target."""
    suffix = "a" if flags & _SPECIFIC else "f" if flags & _FAMILY else ""
    return f"{arch // 10}.{arch % 10}{suffix}"


def count(data, start, size):
    """Counts the containers in a section of `data`."""
    code = Code()
    position, end = start, start + size
    # Padding lies between containers.
    while (position := data.find(_MAGIC_BYTES, position, end)) >= 0:
        if end - position < _CONTAINER.size:
            raise BadFatbin(f"the container at byte {position} ends after the section")
        _, version, header, length = _CONTAINER.unpack_from(data, position)
        if version != 1 or header < _CONTAINER.size or position + header + length > end:
            raise BadFatbin(f"the container at byte {position} has version {version} and {length} bytes")
        machine, ptx = set(), set()
        for kind, name in entries(data, position + header, position + header + length):
            code.kinds[kind] += 1
            if kind == MACHINE_CODE:
                machine.add(name)
            elif kind == PTX:
                ptx.add(name)
        # Some hold nothing: the linker's leavings.
        if machine or ptx:
            code.containers += 1
            code.machine.update(machine)
            code.ptx.update(ptx)
        position += header + length
    return code


def entries(data, position, end):
    """Kind and target of each entry between two positions."""
    while position < end:
        if end - position < 64:
            raise BadFatbin(f"the entry at byte {position} ends after its container")
        kind, _, header, length, arch, flags = _ENTRY.unpack_from(data, position)
        if header < 64 or position + header + length > end:
            raise BadFatbin(f"the entry at byte {position} has a header of {header} and {length} bytes")
        yield kind, target(arch, flags)
        position += header + length

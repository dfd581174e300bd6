"""What is read of an ELF library: its sections, its needs, its symbols' names."""

import re
import struct

_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_NEED = struct.Struct("<HHIII")
_NEED_VERSION = struct.Struct("<IHHII")
_MACHINES = {62: "x86_64", 183: "aarch64"}


class NotElf(Exception):
    """Bytes that are no 64-bit little-endian ELF file, or a broken one."""


class Elf:
    """A library in memory: `data` is bytes or a memory map."""

    def __init__(self, data):
        self.data = data
        if len(data) < 64 or data[:6] != b"\x7fELF\x02\x01":
            raise NotElf("not a 64-bit little-endian ELF file")
        fields = _HEADER.unpack_from(data)
        self.machine = _MACHINES.get(fields[1], str(fields[1]))
        offset, size, count, names = fields[5], fields[10], fields[11], fields[12]
        if size != _SECTION.size or offset + size * count > len(data) or names >= count:
            raise NotElf("its section headers do not lie in the file")
        headers = [_SECTION.unpack_from(data, offset + size * number) for number in range(count)]
        self.by_number = [(header[4], header[5] if header[1] != 8 else 0, header[6]) for header in headers]
        self.names = [self._string(self.by_number[names], header[0]) for header in headers]

    def _span(self, section):
        offset, size, _ = section
        if offset + size > len(self.data):
            raise NotElf("a section does not lie in the file")
        return offset, size

    def _string(self, table, position):
        start, size = self._span(table)
        end = self.data.find(b"\0", start + position, start + size)
        if end < 0:
            raise NotElf("a name does not lie in its table")
        return self.data[start + position : end].decode("ascii", "replace")

    def section(self, name):
        """Offset and size of a section, or nothing."""
        return self._span(self.by_number[self.names.index(name)]) if name in self.names else None

    def version_needs(self):
        """The versions it needs of other libraries: `libc.so.6` to `GLIBC_2.17` and so on."""
        if ".gnu.version_r" not in self.names:
            return {}
        section = self.by_number[self.names.index(".gnu.version_r")]
        position, size = self._span(section)
        end = position + size
        strings = self.by_number[section[2]]
        needs = {}
        try:
            while position < end:
                _, count, file, first, following = _NEED.unpack_from(self.data, position)
                versions = needs.setdefault(self._string(strings, file), [])
                at = position + first
                for _ in range(count):
                    _, _, _, name, step = _NEED_VERSION.unpack_from(self.data, at)
                    versions.append(self._string(strings, name))
                    at += step
                if not following:
                    break
                position += following
        except (struct.error, IndexError) as problem:
            raise NotElf("its version needs do not lie in the file") from problem
        return needs

    def floor(self, prefix):
        """The highest version with a prefix that it needs, `2.28` of `GLIBC_2.28`; nothing where it needs none."""
        found = [
            match[1]
            for versions in self.version_needs().values()
            for version in versions
            if (match := re.fullmatch(re.escape(prefix) + r"_(\d+(?:\.\d+)*)", version))
        ]
        return max(found, key=numbers, default=None)

    def cxx11_abi(self):
        """Whether `c10::Error` is made of new strings (`_GLIBCXX_USE_CXX11_ABI=1`); nothing where it is not there."""
        span = self.section(".dynstr")
        if not span:
            return None
        start, size = span
        # A constructor: the arguments follow, a std::string among them.
        constructor = re.search(rb"_ZN3c105ErrorC[12][^\0]*", self.data[start : start + size])
        return b"__cxx11" in constructor[0] if constructor else None


def numbers(version):
    """A dotted version as numbers, to compare."""
    return tuple(map(int, version.split(".")))

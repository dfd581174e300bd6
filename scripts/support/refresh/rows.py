"""manifests/torch.toml as text: rows are read and written one line each, all else is left as it stands."""

import re

import tomllib

from .pages import version_key

# The order in which rows write their keys; others stay where they are.
ORDER = (
    *("platform", "variant", "cuda", "cudnn", "nccl", "sm", "ptx", "glibc", "cxx11_abi", "pythons"),
    *("advertised", "source"),
)
_ROW = re.compile(r"(\s*)(\{.*\})(,?)(\s*(?:#.*)?)")


class BadManifest(Exception):
    """A manifest that is not laid out as expected."""


class Manifest:
    """The file's lines, to look things up in and to change."""

    def __init__(self, text):
        self.lines = text.split("\n")

    @property
    def text(self):
        return "\n".join(self.lines)

    def release(self, version):
        """A release as parsed, or nothing."""
        releases = tomllib.loads(self.text)["release"]
        return next((release for release in releases if release["version"] == version), None)

    def versions(self):
        """The releases in the file."""
        return [release["version"] for release in tomllib.loads(self.text)["release"]]

    def set_row(self, version, row):
        """Writes a build's row over the one for the same platform and variant, or behind those of its platform."""
        start, end = self._builds(version)
        place = None
        for number in range(start, end):
            match = _ROW.fullmatch(self.lines[number])
            if not match:
                continue
            there = parse_row(match[2], number)
            if (there["platform"], there["variant"]) == (row["platform"], row["variant"]):
                self.lines[number] = f"{match[1]}{format_row(row)}{match[3]}{match[4]}"
                return
            if there["platform"] == row["platform"]:
                place = number + 1
        self.lines.insert(place or end, f"  {format_row(row)},")

    def set_field(self, version, key, value):
        """Writes a field of a release that is there; a new one goes before the table of variants."""
        start, end = self._block(version)
        for number in range(start, end):
            if match := re.fullmatch(rf"({re.escape(key)} = ).*?(\s*#.*)?", self.lines[number]):
                self.lines[number] = f"{match[1]}{format_value(value)}{match[2] or ''}"
                return
            if self.lines[number].startswith("pypi = ") and key != "pypi":
                self.lines.insert(number, f"{key} = {format_value(value)}")
                return
        raise BadManifest(f"release {version} has no `pypi` on a line of its own")

    def set_as_of(self, day):
        """Writes the day on which the facts were gathered."""
        self.lines = [re.sub(r'^as_of = ".*"', f'as_of = "{day}"', line) for line in self.lines]

    def add_release(self, fields, rows):
        """Writes a release that is not there, in the order of versions."""
        block = ["[[release]]"]
        block += [f"{key} = {format_value(value)}" for key, value in fields.items()]
        block += ["builds = [", *(f"  {format_row(row)}," for row in rows), "]"]
        newer = [version for version in self.versions() if version_key(version) > version_key(fields["version"])]
        if newer:
            start = self._block(min(newer, key=version_key))[0]
            self.lines[start:start] = [*block, ""]
        else:
            while self.lines and not self.lines[-1]:
                self.lines.pop()
            self.lines += ["", *block, ""]

    def add_source(self, key, text):
        """Says what a source key stands for, where it is not there yet, in the order of keys."""
        if "[sources]" not in self.lines:
            raise BadManifest("the file has no `[sources]`")
        number = self.lines.index("[sources]") + 1
        while match := re.match(r'"?([\w.-]+)"? = ', self.lines[number]):
            if match[1] == key:
                return
            if match[1] > key:
                break
            number += 1
        self.lines.insert(number, f"{format_key(key)} = {format_value(text)}")

    def _block(self, version):
        starts = [number for number, line in enumerate(self.lines) if line.strip() == "[[release]]"]
        for start, following in zip(starts, [*starts[1:], len(self.lines)]):
            if f'version = "{version}"' in self.lines[start:following]:
                return start, following
        raise BadManifest(f"release {version} is not in the file")

    def _builds(self, version):
        start, end = self._block(version)
        try:
            first = self.lines.index("builds = [", start, end) + 1
            return first, self.lines.index("]", first, end)
        except ValueError as problem:
            raise BadManifest(f"release {version} has no `builds = [` and `]` on lines of their own") from problem


def parse_row(text, number):
    """The values of an inline table."""
    try:
        row = tomllib.loads(f"row = {text}")["row"]
        return {"platform": row.pop("platform"), "variant": row.pop("variant"), **row}
    except (tomllib.TOMLDecodeError, KeyError) as problem:
        raise BadManifest(f"line {number + 1} is not a build's row: {problem}") from problem


def with_values(row, values):
    """A row with other values, new keys in their place."""
    merged = dict(row)
    for key, value in values.items():
        if key in merged:
            merged[key] = value
            continue
        behind = ORDER[ORDER.index(key) + 1 :]
        place = next((at for at, there in enumerate(merged) if there in behind), len(merged))
        items = list(merged.items())
        merged = dict([*items[:place], (key, value), *items[place:]])
    return {key: value for key, value in merged.items() if not (key == "ptx" and value == [])}


def format_row(row):
    """An inline table."""
    return "{ " + ", ".join(f"{format_key(key)} = {format_value(value)}" for key, value in row.items()) + " }"


def format_key(key):
    """A key, in quotes where TOML or the file's habit wants them."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'


def format_value(value):
    """A value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(format_value, value)) + "]"
    if isinstance(value, dict):
        return format_row(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

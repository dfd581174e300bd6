"""What of the manifest the wheels contradict, and the manifest as they would have it."""

import datetime
from dataclasses import dataclass

from . import facts as facts_of
from .companions import PLATFORM, PROJECTS
from .rows import with_values

# What the source keys that are written here stand for.
SOURCES = {
    "binary": "machine code counted in libtorch_cuda.so of PyPI's wheel by scripts/refresh-manifests",
    "binary-index": "machine code counted in libtorch_cuda.so of the PyTorch index's wheel by scripts/refresh-manifests",
    "metadata": "wheel METADATA",
    "pypi-metadata": (
        "PyPI simple index and wheel METADATA of torch; torchvision and torchaudio METADATA (Requires-Dist torch)"
    ),
}


@dataclass(frozen=True)
class Difference:
    """One value that the manifest has otherwise, or not at all."""

    release: str
    platform: str
    variant: str
    key: str
    said: object
    found: object


class Changes:
    """Holds wheels against a manifest, and changes its text."""

    def __init__(self, manifest):
        self.manifest = manifest
        self.differences = []

    def hold(self, build, facts):
        """One wheel of a release that is there."""
        release = self.manifest.release(build.version)
        there = [row for row in release["builds"] if row["platform"] == build.platform]
        row = next((row for row in there if row["variant"] == facts.variant), None)
        if build.default:
            self._hold_release(release, build, facts)
        pythons = facts_of.pythons(build.siblings)
        if row is None:
            self._differs(build, facts, "build", None, facts.variant)
            self._write(build, new_row(build, facts, release["pythons"]))
            return
        values = {}
        for key, said, found in facts_of.differences(row, facts):
            self._differs(build, facts, key, said, found)
            values[key] = found
        said = row.get("pythons", release["pythons"])
        # A row stands for the PyTorch index too, which may have more.
        if set(pythons) - set(said):
            self._differs(build, facts, "pythons", said, pythons)
            values["pythons"] = facts_of.merged(said, pythons)
        wanted = with_sources(with_values(row, values), proofs(build, facts, values))
        if wanted != row:
            self._write(build, wanted)

    def _hold_release(self, release, build, facts):
        if facts.requires_python and release["requires_python"] != facts.requires_python:
            self._differs(build, facts, "requires_python", release["requires_python"], facts.requires_python)
            self.manifest.set_field(build.version, "requires_python", facts.requires_python)
        if facts.triton and build.platform == PLATFORM and release.get("triton") != facts.triton:
            self._differs(build, facts, "triton", release.get("triton"), facts.triton)
            self.manifest.set_field(build.version, "triton", facts.triton)
        if (said := release["pypi"].get(build.platform)) != facts.variant:
            self._differs(build, facts, "pypi", said, facts.variant)
            self.manifest.set_field(build.version, "pypi", {**release["pypi"], build.platform: facts.variant})

    def hold_companions(self, version, wanted_torch, made_for):
        """The companions of a release that is there: none that pins another torch.

        `wanted_torch` gives what a project's release pins, `made_for` the release of each project that pins this torch.
        """
        release = self.manifest.release(version)
        for project in PROJECTS:
            pinned = wanted_torch(project, release[project])
            if pinned and facts_of.without_local(pinned) != version:
                found = made_for()[project][0]
                self.differences.append(Difference(version, "", "", project, release[project], found))
                self.manifest.set_field(version, project, found)

    def add(self, version, day, builds, companions):
        """A release that is not there: its builds with their facts, and its companions."""
        first = builds[0]
        pythons = facts_of.pythons(first[0].siblings)
        triton = next((facts.triton for build, facts in builds if facts.triton), None)
        fields = {
            "version": version,
            "released": day or datetime.date.today().isoformat(),
            "requires_python": first[1].requires_python,
            "pythons": pythons,
            **{project: made for project, (made, _) in companions.items()},
            **({"triton": triton} if triton else {}),
            "pypi": {build.platform: facts.variant for build, facts in builds},
            "source": ["pypi-metadata"],
        }
        rows = [new_row(build, facts, pythons) for build, facts in builds]
        self.manifest.add_release(fields, rows)
        self.manifest.set_as_of(datetime.date.today().isoformat())
        for row in (fields, *rows):
            self._name_sources(row["source"])
        self.differences.append(Difference(version, "", "", "release", None, version))

    def _write(self, build, row):
        self.manifest.set_row(build.version, row)
        self._name_sources(row["source"])

    def _name_sources(self, keys):
        for key in keys:
            if key in SOURCES:
                self.manifest.add_source(key, SOURCES[key])

    def _differs(self, build, facts, key, said, found):
        self.differences.append(Difference(build.version, build.platform, facts.variant, key, said, found))


def new_row(build, facts, usual_pythons):
    """The row of a build that is not there."""
    row = with_values({"platform": build.platform, "variant": facts.variant, "source": []}, facts.values)
    pythons = facts_of.pythons(build.siblings)
    if pythons != usual_pythons:
        row = with_values(row, {"pythons": pythons})
    return with_sources(row, proofs(build, facts, facts.values) or ["metadata"])


def proofs(build, facts, values):
    """The source keys for what was read: of the libraries always, of METADATA where a value comes from it."""
    keys = ["metadata"] if {"cuda", "cudnn", "nccl"} & values.keys() else []
    if "sm" in facts.values:
        keys.append("binary" if build.default else "binary-index")
    return keys


def with_sources(row, keys):
    """A row that names these sources too."""
    return {**row, "source": row["source"] + [key for key in keys if key not in row["source"]]}

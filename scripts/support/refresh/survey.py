"""Which wheels are read, from which index, and what was found in them."""

import json
from dataclasses import dataclass

from . import facts, findings, pages
from .companions import PROJECTS, Companions
from .web import NotThere, Web

TORCH = "torch"
TOOLKIT = "cuda-toolkit"


@dataclass(frozen=True)
class Build:
    """A wheel of torch that stands for its release on a platform."""

    version: str
    platform: str
    wheel: pages.Wheel
    default: bool  # it lies on the default index
    siblings: tuple = ()  # with it, the wheels for other Pythons


class Survey:
    """Reads wheels of one default index, and of the PyTorch index where that is asked for."""

    def __init__(self, index, torch_index=None, variants=(), python="cp312", libraries=True, kept=None, say=print):
        self.web = Web()
        self.default = pages.Index(self.web, index)
        self.python = python
        self.libraries = libraries
        self.kept = kept
        self.say = say
        self.read = json.loads(kept.read_text()) if kept and kept.exists() else {}
        self.toolkits_of = {}
        self.companions = {}
        self.by_variant = {}
        for variant in variants if torch_index else ():
            index = pages.Index(self.web, f"{torch_index.rstrip('/')}/{variant}")
            try:
                index.wheels(TORCH)
                self.by_variant[variant] = index
            except NotThere as problem:
                say(f"left out: {problem}")

    def on_page(self):
        """The final releases of torch on the default index, with the day of each, oldest first."""
        days = {}
        for wheel in self.default.wheels(TORCH):
            if pages.version_key(wheel.version) and not wheel.yanked:
                days[wheel.version] = min(filter(None, (days.get(wheel.version), wheel.uploaded)), default=None)
        return dict(sorted(days.items(), key=lambda item: pages.version_key(item[0])))

    def builds(self, version, platforms, default):
        """The builds of a release to read: those of the default index, or those of each variant."""
        for platform in platforms:
            for label, index in {"": self.default}.items() if default else self.by_variant.items():
                wheels = [wheel for wheel in index.wheels(TORCH) if wheel.local == label]
                if wheel := pages.pick(wheels, version, platform, self.python):
                    siblings = pages.fitting(wheels, version, platform)
                    yield Build(version, platform, wheel, default, tuple(siblings))

    def finding(self, build):
        """What was found in a wheel, now or, where findings are kept, at another time."""
        key = build.wheel.sha256 or build.wheel.url
        there = self.read.get(key)
        # Only Linux libraries are ELF files, and only builds with CUDA hold kernels.
        libraries = self.libraries and build.platform.startswith("linux-")
        if there is None or (libraries and not there["libraries"]):
            self.say(f"reading {build.wheel.filename}")
            there = findings.read_torch(self.web, build.wheel, libraries, self.say)
            if libraries:
                there["kernel_sizes"] = findings.kernel_sizes(self.web, build.siblings)
            self.read[key] = there
            if self.kept:
                self.kept.write_text(json.dumps(self.read, indent=1) + "\n")
        return there

    def facts(self, build):
        """What a wheel proves."""
        return facts.conclude(self.finding(build), build.platform, self.toolkits)

    def toolkits(self, line):
        """What each CUDA toolkit of a line, `12.6`, consists of, by its version with three numbers."""
        if line not in self.toolkits_of:
            wheels = {
                wheel.version: wheel for wheel in self.default.wheels(TOOLKIT) if pages.version_key(wheel.version)
            }
            self.toolkits_of[line] = {
                facts.patch_level(version): findings.pins(
                    findings.all_requires(findings.read_metadata(self.web, wheel))
                )
                for version, wheel in wheels.items()
                if facts.within(version, line)
            }
        return self.toolkits_of[line]

    def companion(self, project):
        """The releases of torchvision or torchaudio."""
        if project not in self.companions:
            self.companions[project] = Companions(self.web, self.default, project)
        return self.companions[project]

    def made_for(self, version, day):
        """For each companion, the release made for a torch and whether that is proved."""
        return {project: self.companion(project).made_for(version, day) for project in PROJECTS}

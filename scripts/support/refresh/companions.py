"""Which torchvision and torchaudio were made for a torch."""

from .findings import pins, read_metadata, requires
from .pages import pick, version_key

PROJECTS = ("torchvision", "torchaudio")
PLATFORM = "linux-x86_64"


class Companions:
    """The releases of a companion on an index, their METADATA read once."""

    def __init__(self, web, index, project):
        self.web = web
        self.wheels = [
            wheel for wheel in index.wheels(project) if wheel.platform == PLATFORM and version_key(wheel.version)
        ]
        self.needs = {}

    def wanted_torch(self, version):
        """The torch that a release pins; nothing where it pins none or has no wheel."""
        if version not in self.needs:
            wheel = pick(self.wheels, version, PLATFORM, "cp312")
            needed = requires(read_metadata(self.web, wheel)) if wheel else []
            self.needs[version] = pins(needed).get("torch")
        return self.needs[version]

    def made_for(self, torch, day):
        """The newest release that pins this torch and True, else the newest of that day or before and False."""
        days = {wheel.version: wheel.uploaded for wheel in self.wheels}
        versions = sorted(days, key=version_key, reverse=True)
        known = [version for version in versions if days[version] and day]
        before = next((version for version in known if days[version] <= day), None)
        for version in versions:
            if (not known or days[version] >= day) and self.wanted_torch(version) == torch:
                return version, True
        return before, False

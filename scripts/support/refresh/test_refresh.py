"""Tests of the parts of scripts/refresh-manifests. Run by `scripts/refresh-manifests --self-test`."""

import http.server
import io
import json
import struct
import sys
import threading
import unittest
import unittest.mock
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.refresh import elf, facts, fatbin, findings, pages, rows, web
from support.refresh.changes import Changes
from support.refresh.survey import Build, Survey

MANIFEST = Path(__file__).resolve().parents[3] / "manifests" / "torch.toml"


def entry(kind, arch, flags=0x11, code=b"code\0\0\0\0", header=64):
    """An entry as `fatbinary` writes it: newer ones have longer headers."""
    start = struct.pack("<HHIQIIHHIIIQQQ", kind, 0x101, header, len(code), 0, 0, 8, 1, arch, 0, 0, flags, 0, 0)
    return start.ljust(header, b"\0") + code


def container(*inside):
    """A container of entries."""
    content = b"".join(inside)
    return struct.pack("<IHHQ", fatbin.MAGIC, 1, 16, len(content)) + content


def library(fatbin_section=b"", needs=(), names=b"", rodata=b""):
    """A 64-bit ELF file of x86_64 with these sections, their headers at its end."""
    strings = bytearray(b"\0")

    def name(text):
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text) - 1

    version_needs = b""
    for number, (file, versions) in enumerate(needs):
        following = 16 + 16 * len(versions) if number + 1 < len(needs) else 0
        version_needs += struct.pack("<HHIII", 1, len(versions), name(file), 16, following)
        for at, version in enumerate(versions):
            version_needs += struct.pack("<IHHII", 0, 0, 0, name(version), 16 if at + 1 < len(versions) else 0)
    contents = {
        ".nv_fatbin": (fatbin_section, 0),
        ".rodata": (rodata, 0),
        ".gnu.version_r": (version_needs, 4),
        ".dynstr": (bytes(strings) + names, 0),
    }
    shstrtab = b"\0" + b"".join(section.encode() + b"\0" for section in (*contents, ".shstrtab"))
    body, headers, position = b"", [bytes(64)], 64
    for section, (content, link) in {**contents, ".shstrtab": (shstrtab, 0)}.items():
        at = shstrtab.index(section.encode() + b"\0")
        headers.append(struct.pack("<IIQQQQIIQQ", at, 1, 0, 0, position, len(content), link, 0, 8, 0))
        body += content
        position += len(content)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, position, 0, 64, 0, 0, 64, len(headers), len(headers) - 1)
    return head + body + b"".join(headers)


class Fatbin(unittest.TestCase):
    def count(self, section):
        return fatbin.count(section, 0, len(section))

    def test_counts_containers_by_target(self):
        both = container(entry(2, 75), entry(2, 120, 0x1000011, header=104), entry(1, 120, header=80))
        code = self.count(both + bytes(24) + container(entry(2, 75), entry(2, 75)))
        self.assertEqual(code.containers, 2)
        self.assertEqual(code.machine, {"7.5": 2, "12.0": 1})
        self.assertEqual(code.ptx, {"12.0": 1})

    def test_tells_specific_code_apart(self):
        code = self.count(container(entry(2, 90), entry(2, 90, 0x100011), entry(2, 103, 0x200011), entry(64, 90)))
        self.assertEqual(code.machine, {"9.0": 1, "9.0a": 1, "10.3f": 1})
        self.assertEqual(code.kinds, {2: 3, 64: 1})

    def test_a_magic_within_code_is_not_a_container(self):
        code = self.count(container(entry(2, 80, code=container(entry(2, 50)))))
        self.assertEqual((code.containers, code.machine), (1, {"8.0": 1}))

    def test_containers_without_code_do_not_count(self):
        self.assertEqual(self.count(container() + container(entry(2, 80))).containers, 1)

    def test_nearly_all_containers_make_an_architecture_supported(self):
        counted = {"8.0": 480, "10.3": 59, "8.9": 1, "9.0": 432, "9.0a": 431, "12.0": 433}
        self.assertEqual(fatbin.common(counted, 480), ["8.0", "9.0", "12.0"])
        self.assertEqual(fatbin.common({}, 0), [])

    def test_broken_sections_are_refused(self):
        good = container(entry(2, 80))
        for broken in (good[:-1], good[:10], good.replace(b"\x40\0\0\0", b"\x40\0\0\x7f", 1)):
            with self.assertRaises(fatbin.BadFatbin):
                self.count(broken)


class Library(unittest.TestCase):
    def test_tells_what_it_needs_and_holds(self):
        needs = [("libc.so.6", ["GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.9"]), ("libstdc++.so.6", ["GLIBCXX_3.4.22"])]
        names = b"_ZN3c105ErrorC1ENS_14SourceLocationENSt7__cxx1112basic_stringIcE\0"
        found = findings.inspect(
            library(container(entry(2, 80)), needs, names, b"say\0sm_80 sm_90a compute_120\0sm_1\0")
        )
        self.assertEqual(found["machine"], "x86_64")
        self.assertEqual(found["floors"], {"GLIBC": "2.17", "GLIBCXX": "3.4.22"})
        self.assertIs(found["cxx11_abi"], True)
        self.assertEqual((found["containers"], found["machine_code"]), (1, {"8.0": 1}))
        self.assertEqual(found["declared"], ["sm_80", "sm_90a", "compute_120"])

    def test_old_strings(self):
        found = findings.inspect(library(names=b"_ZN3c105ErrorC2ENS_14SourceLocationESs\0_ZNSt7__cxx11\0"))
        self.assertIs(found["cxx11_abi"], False)

    def test_broken_files_are_refused(self):
        whole = library(needs=[("libc.so.6", ["GLIBC_2.17"])])
        for broken in (b"MZ", whole[:100], whole[:-64], b""):
            with self.assertRaises(elf.NotElf):
                findings.inspect(broken)


class Metadata(unittest.TestCase):
    TEXT = (
        "Name: torch\nRequires-Python: >=3.10\n"
        'Requires-Dist: sympy>=1.13.3\nRequires-Dist: triton~=3.9.0; platform_system == "Linux"\n'
        'Requires-Dist: cuda-toolkit[cublas,cudart]==13.2.2; platform_system == "Linux"\n'
        'Requires-Dist: nvidia_cudnn.cu13 (==9.26.0.51) ; platform_system == "Linux"\n'
        'Requires-Dist: nvidia-cublas<=13.1.1.3,>=13.1.0.3\nRequires-Dist: optree==1.0; extra == "optree"\n'
        "\nRequires-Dist: in-the-text==1.0\n"
    )

    def test_pins(self):
        lines = findings.requires(self.TEXT)
        self.assertEqual(findings.pins(lines), {"cuda-toolkit": "13.2.2", "nvidia-cudnn-cu13": "9.26.0.51"})
        self.assertEqual(findings.header(self.TEXT, "Requires-Python"), ">=3.10")

    def test_pins_for_another_platform_do_not_count(self):
        x86 = "platform_system == 'Linux' and platform_machine == 'x86_64'"
        held = {marker: findings.holds(marker, "linux-x86_64") for marker in ("", x86, 'python_version < "3.15"')}
        self.assertEqual(set(held.values()), {True})
        for platform in ("linux-aarch64", "windows-x86_64"):
            self.assertFalse(findings.holds(x86, platform))
            self.assertTrue(
                findings.holds(f"{x86} or sys_platform == 'win32' or platform_machine == 'arm64'", platform)
            )
        self.assertEqual(findings.pins(findings.requires(self.TEXT), "windows-x86_64"), {})

    def test_toolkit_by_its_parts(self):
        toolkits = {"12.6.2": {"a": "1.0", "b": "2.77"}, "12.6.3": {"a": "1.0", "b": "2.85", "c": "3"}}
        self.assertEqual(facts.matching_toolkits({"a": "1.0.4", "b": "2.85"}, toolkits), ["12.6.3"])
        self.assertEqual(facts.matching_toolkits({"a": "1.0"}, toolkits), ["12.6.2", "12.6.3"])
        self.assertEqual(facts.matching_toolkits({"b": "2.8"}, toolkits), [])
        self.assertEqual(facts.matching_toolkits({"cuda-toolkit": "13.0.3.0"}, {}), ["13.0.3"])

    def test_version_file(self):
        values = findings.read_version(
            "from typing import Optional\n__version__ = '2.6.0+cu124'\ncuda: Optional[str] = '12.4'\n"
        )
        self.assertEqual((values["cuda"], facts.variant(values)), ("12.4", "cu124"))
        self.assertEqual(facts.variant({"__version__": "2.6.0", "cuda": "12.4"}), "cu124")
        self.assertEqual(facts.variant({"__version__": "2.6.0"}), "cpu")


class Pages(unittest.TestCase):
    def test_html_page(self):
        body = b"""<a href="https://files/whl/cu128/torch-2.8.0%2Bcu128-cp312-cp312-manylinux_2_28_x86_64.whl#sha256=ab"
            data-core-metadata="sha256=cd">torch</a> <a href="torch-2.8.0.tar.gz">x</a>"""
        first, other = pages.read_html(body, "https://index/whl/cu128/torch/")
        self.assertEqual((first.version, first.local, first.sha256, first.metadata), ("2.8.0", "cu128", "ab", True))
        self.assertEqual(first.platform, "linux-x86_64")
        self.assertIsNone(other)

    def test_the_newest_build_of_the_preferred_python_is_read(self):
        names = ("2.10.0-cp312-cp312", "2.10.0-3-cp312-cp312", "2.10.0-cp314-cp314t", "2.9.0-7-cp312-cp312")
        wheels = [pages.parse_wheel(f"torch-{name}-manylinux_2_28_x86_64.whl", "") for name in names]
        self.assertEqual(pages.pick(wheels, "2.10.0", "linux-x86_64", "cp312").build, 3)
        self.assertEqual(pages.pick(wheels, "2.10.0", "linux-x86_64", "cp314t").abi, "cp314t")
        self.assertIsNone(pages.pick(wheels, "2.10.0", "linux-aarch64", "cp312"))

    def test_platforms(self):
        tags = {
            "manylinux1_x86_64": "linux-x86_64",
            "manylinux2014_aarch64.manylinux_2_17_aarch64": "linux-aarch64",
            "linux_x86_64": "linux-x86_64",
            "win_amd64": "windows-x86_64",
            "macosx_14_0_arm64": "macos-aarch64",
            "any": None,
        }
        for tag, platform in tags.items():
            self.assertEqual(pages.parse_wheel(f"torch-1.0-cp312-cp312-{tag}.whl", "").platform, platform)


class Rows(unittest.TestCase):
    def setUp(self):
        self.text = MANIFEST.read_text()
        self.manifest = rows.Manifest(self.text)

    def test_writing_every_row_of_the_manifest_changes_nothing(self):
        for version in self.manifest.versions():
            for row in self.manifest.release(version)["builds"]:
                self.manifest.set_row(version, row)
        self.assertEqual(self.manifest.text, self.text)

    def test_one_value_changes_one_line_and_keeps_its_comment(self):
        manifest = rows.Manifest(SMALL)
        row = manifest.release("2.8.0")["builds"][0]
        manifest.set_row("2.8.0", rows.with_values(row, {"sm": ["9.0"], "ptx": [], "glibc": "2.17"}))
        expected = '{ platform = "linux-x86_64", variant = "cu128", cuda = "12.8", sm = ["9.0"], glibc = "2.17", source = ["a"] }'
        self.assertEqual(manifest.text, SMALL.replace(CU128, expected))
        self.assertIn(f"{expected}, # kept", manifest.text)

    def test_an_unknown_release_gets_its_place(self):
        manifest = rows.Manifest(SMALL)
        manifest.add_release({"version": "2.10.0", "source": ["a"]}, [{"platform": "linux-x86_64", "variant": "cpu"}])
        manifest.add_release({"version": "2.9.0", "source": ["a"]}, [])
        self.assertEqual(manifest.versions(), ["2.8.0", "2.9.0", "2.10.0"])
        self.assertTrue(manifest.text.startswith(SMALL.rstrip("\n")))

    def test_fields_of_a_release(self):
        manifest = rows.Manifest(SMALL)
        manifest.set_field("2.8.0", "torchvision", "0.23.1")
        manifest.set_field("2.8.0", "nickname", "none")
        changed = SMALL.replace('"0.23.0"', '"0.23.1"').replace("pypi = ", 'nickname = "none"\npypi = ')
        self.assertEqual(manifest.text, changed)
        with self.assertRaises(rows.BadManifest):
            manifest.set_field("2.9.0", "torchvision", "0.24.0")

    def test_sources_keep_their_order(self):
        manifest = rows.Manifest(SMALL)
        manifest.add_source("b-1.0", 'said "so"')
        manifest.add_source("a", "another text")
        self.assertIn('a = "first"\n"b-1.0" = "said \\"so\\""\nc = "last"\n', manifest.text)


CU128 = '{ platform = "linux-x86_64", variant = "cu128", cuda = "12.8", source = ["a"] }'
SMALL = f"""# A manifest.
as_of = "2026-01-01"

[sources]
a = "first"
c = "last"

[[release]]
version = "2.8.0"
requires_python = ">=3.9"
pythons = ["3.12", "3.13t"]
torchvision = "0.23.0"
torchaudio = "2.8.0"
triton = "==3.4.0"
pypi = {{ linux-x86_64 = "cu128" }}
source = ["a"]
builds = [
  {CU128}, # kept
]
"""


class Holding(unittest.TestCase):
    def setUp(self):
        self.changes = Changes(rows.Manifest(SMALL))

    def build(self, name="2.8.0", platform="linux-x86_64"):
        wheels = [pages.parse_wheel(f"torch-{name}-{tag}-any.whl", "") for tag in ("cp312-cp312", "cp313-cp313t")]
        return Build(name, platform, None, True, tuple(wheels))

    def test_what_agrees_is_no_difference_but_names_its_proof(self):
        self.changes.hold(self.build(), facts.Facts("cu128", ">=3.9", None, {"cuda": "12.8"}))
        self.assertEqual((self.changes.differences, self.changes.manifest.text), ([], SMALL))
        self.changes.hold(self.build(), facts.Facts("cu128", ">=3.9", None, {"cuda": "12.8", "sm": ["9.0"]}))
        self.assertEqual([(d.key, d.said, d.found) for d in self.changes.differences], [("sm", None, ["9.0"])])
        self.assertIn('sm = ["9.0"], source = ["a", "binary"]', self.changes.manifest.text)
        self.assertIn("\nbinary = ", self.changes.manifest.text)

    def test_another_variant_on_the_default_index(self):
        self.changes.hold(self.build(), facts.Facts("cu130", ">=3.10", None, {"cuda": "13.0.2", "cudnn": "9.1"}))
        keys = [difference.key for difference in self.changes.differences]
        self.assertEqual(keys, ["requires_python", "pypi", "build"])
        release = self.changes.manifest.release("2.8.0")
        self.assertEqual((release["pypi"]["linux-x86_64"], release["requires_python"]), ("cu130", ">=3.10"))
        self.assertEqual([row["variant"] for row in release["builds"]], ["cu128", "cu130"])

    def test_pythons_of_a_build(self):
        names = ("cp39-cp39", "cp310-none", "cp313-cp313t", "cp310-cp310", "cp37-cp37m", "py3-none")
        wheels = [pages.parse_wheel(f"torch-1.0-{name}-any.whl", "") for name in names]
        self.assertEqual(facts.pythons(wheels), ["3.7", "3.9", "3.10", "3.13t"])
        build = Build("2.8.0", "linux-x86_64", None, True, tuple(wheels[:2]))
        self.changes.hold(build, facts.Facts("cu128", ">=3.9", "==3.4.0", {}))
        self.assertEqual([difference.key for difference in self.changes.differences], ["pythons"])
        self.assertEqual(
            self.changes.manifest.release("2.8.0")["builds"][0]["pythons"], ["3.9", "3.10", "3.12", "3.13t"]
        )

    def test_companions_made_for_another_torch(self):
        pinned = {"torchvision": "2.7.0", "torchaudio": None}
        made = {"torchvision": ("0.23.1", True)}
        self.changes.hold_companions("2.8.0", lambda project, release: pinned[project], lambda: made)
        self.assertEqual([difference.key for difference in self.changes.differences], ["torchvision"])
        self.assertEqual(self.changes.manifest.release("2.8.0")["torchvision"], "0.23.1")

    def test_a_release_that_is_not_there(self):
        found = facts.Facts(
            "cu132", ">=3.11", "~=3.9.0", {"cuda": "13.2.2", "sm": ["12.0"], "ptx": [], "glibc": "2.28"}
        )
        builds = [(self.build("2.15.0"), found)]
        self.changes.add(
            "2.15.0", "2026-10-28", builds, {"torchvision": ("0.29.2", False), "torchaudio": ("2.11.0", False)}
        )
        row = self.changes.manifest.release("2.15.0")["builds"][0]
        self.assertEqual(list(row), ["platform", "variant", "cuda", "sm", "glibc", "source"])
        self.assertEqual(row["source"], ["metadata", "binary"])


WHEEL = b"torch-2.8.0%2Bcu128-cp312-cp312-manylinux_2_28_x86_64.whl"
PAGES = {
    "/simple/torch/": (pages.JSON_PAGE, b'{"files": []}'),
    "/simple/cuda-toolkit/": (pages.JSON_PAGE, b'{"files": []}'),
    "/whl/cu128/torch/": ("text/html", b'<a href="/whl/cu128/%s">torch</a>' % WHEEL),
}


class Ranges(unittest.TestCase):
    """A wheel on a server that once ends an answer early."""

    @classmethod
    def setUpClass(cls):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("torch/version.py", "__version__ = '2.8.0+cu128'\ncuda = '12.8'\n")
            archive.writestr(
                "torch/lib/libtorch_cuda.so", library(container(entry(2, 80)) * 9 + container(entry(2, 86)))
            )
            archive.writestr("torch/lib/libtorch_cuda_linalg.so", library(container(entry(2, 90))))
            archive.writestr("torch/filler", bytes(range(256)) * 4096, zipfile.ZIP_STORED)
            archive.writestr("torch-2.8.0.dist-info/METADATA", Metadata.TEXT)
        cls.content = packed.getvalue()
        cls.cut = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path.endswith("/"):
                    self.page()
                else:
                    self.part()

            def page(self):
                kind, body = PAGES.get(self.path, (None, b""))
                self.send_response(200 if kind else 403)
                self.send_header("Content-Type", kind or "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def part(self):
                first, last = self.headers["Range"].removeprefix("bytes=").split("-")
                part = cls.content[int(first) : int(last) + 1]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(cls.content)}")
                self.send_header("Content-Length", str(len(part)))
                self.end_headers()
                if len(part) > 1 and not cls.cut:
                    cls.cut = 1
                    part = part[: len(part) // 2]
                self.wfile.write(part)

            def log_message(self, *_):
                pass

        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=cls.server.serve_forever, args=(0.01,), daemon=True).start()
        cls.root = f"http://127.0.0.1:{cls.server.server_port}"

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def test_a_wheel_is_read_by_range(self):
        self.enterContext(unittest.mock.patch.object(web, "PAUSE", 0))
        wheel = pages.parse_wheel("torch-2.8.0-cp312-cp312-manylinux_2_28_x86_64.whl", f"{self.root}/torch.whl")
        found = findings.read_torch(web.Web(), wheel, True, lambda _: None)
        self.assertEqual(found["version"]["cuda"], "12.8")
        self.assertEqual(found, json.loads(json.dumps(found)))
        proved = facts.conclude(found, "linux-x86_64", lambda line: {})
        self.assertEqual(proved.values["sm"], ["8.0"])
        self.assertEqual(proved.values["cudnn"], "9.26.0.51")
        self.assertEqual(proved.triton, "~=3.9.0")
        self.assertIn("libtorch_cuda_linalg.so has no code for 8.0, only for 9.0", " ".join(proved.notes))
        self.assertEqual(self.cut, 1)

    def test_the_pytorch_index_has_a_page_for_each_variant(self):
        self.enterContext(unittest.mock.patch.object(web, "PAUSE", 0))
        said = []
        survey = Survey(f"{self.root}/simple", f"{self.root}/whl/", ["cu128", "cu999"], say=said.append)
        self.assertEqual(said, [f"left out: {self.root}/whl/cu999/torch/: the server says 403 Forbidden"])
        (build,) = survey.builds("2.8.0", ["linux-x86_64", "windows-x86_64"], False)
        proved = survey.facts(build)
        self.assertEqual((proved.variant, proved.values["sm"], build.default), ("cu128", ["8.0"], False))
        self.assertEqual(list(survey.builds("2.8.0", ["linux-x86_64"], True)), [])


if __name__ == "__main__":
    unittest.main()

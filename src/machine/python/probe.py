# Run as `python -I -S -c …`: prints what torchfix needs to know of an interpreter as one line of JSON.
# With -S nothing of the environment runs, and sys.prefix is not yet the venv's; it is set here as site.py would.
import sys

if sys.version_info < (3, 8):
    sys.stdout.write('{"unsupported": "%d.%d.%d"}\n' % tuple(sys.version_info[:3]))
    sys.exit(0)

import json
import os
import platform
import struct


def venv():
    """The venv that the interpreter belongs to, and its pyvenv.cfg, as site.py finds them."""
    directory = os.path.dirname(os.path.abspath(sys.executable))
    prefix = os.path.dirname(directory)
    for folder in (directory, prefix):
        path = os.path.join(folder, "pyvenv.cfg")
        if os.path.isfile(path):
            values = {}
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                for line in file:
                    key, equals, value = line.partition("=")
                    if equals:
                        values[key.strip().lower()] = value.strip()
            return prefix, values
    return None, {}


def base_executable(values):
    """The interpreter outside any venv: what the interpreter says itself from 3.11 on, else what pyvenv.cfg says."""
    own = getattr(sys, "_base_executable", None)
    if not values:
        return own or sys.executable
    candidates = [own] if own and own != sys.executable else []
    candidates += [values.get("base-executable"), values.get("executable")]
    home = values.get("home")
    if home:
        names = [os.path.basename(sys.executable), "python%d.%d" % sys.version_info[:2], "python3", "python"]
        candidates += [os.path.join(home, name) for name in names]
    for candidate in candidates:
        if candidate and os.path.isfile(candidate):
            return candidate
    return os.path.realpath(sys.executable)


def glibc():
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, ValueError, OSError):
        return None
    return version if name == "glibc" and version else None


def abi():
    import sysconfig

    soabi = sysconfig.get_config_var("SOABI") or ""
    if sys.implementation.name == "cpython":
        flags = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
        flags += "d" if hasattr(sys, "gettotalrefcount") else ""
        return "cp%d%d%s" % (sys.version_info[0], sys.version_info[1], flags)
    parts = soabi.split("-")
    kept = parts[:2] if soabi.startswith("pypy") else parts[:3] if soabi.startswith("graalpy") else parts[:1]
    return "_".join(kept).replace(".", "_") or None


def externally_managed(stdlib):
    """PEP 668; "" when the file is there and does not say why."""
    path = os.path.join(stdlib, "EXTERNALLY-MANAGED")
    if not os.path.isfile(path):
        return None
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
        return parser.get("externally-managed", "Error", fallback="")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return ""


def version_of(info):
    kind = info.releaselevel
    suffix = "" if kind == "final" else kind[0].replace("c", "rc") + str(info.serial)
    return "%d.%d.%d%s" % (info.major, info.minor, info.micro, suffix)


def main():
    base_prefix = sys.base_prefix
    prefix, values = venv()
    if prefix is not None:
        sys.prefix = sys.exec_prefix = prefix
    import sysconfig

    paths = sysconfig.get_paths()
    version = "%d.%d" % sys.version_info[:2]
    # A venv shares its base's headers; what wheels bring goes beside, where pip puts it.
    include = os.path.join(prefix, "include", "site", "python" + version) if prefix else paths["include"]
    print(
        json.dumps(
            {
                "executable": sys.executable,
                "prefix": sys.prefix,
                "base_prefix": base_prefix,
                "base_executable": base_executable(values),
                # `3.12.0+` is what builds from a checkout call themselves.
                "version": platform.python_version().rstrip("+"),
                "implementation": sys.implementation.name,
                "abi": abi(),
                "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
                "bits": struct.calcsize("P") * 8,
                "platform": sysconfig.get_platform(),
                "glibc": glibc(),
                "markers": {
                    "implementation_name": sys.implementation.name,
                    "implementation_version": version_of(sys.implementation.version),
                    "os_name": os.name,
                    "platform_machine": platform.machine(),
                    "platform_python_implementation": platform.python_implementation(),
                    "platform_release": platform.release(),
                    "platform_system": platform.system(),
                    "platform_version": platform.version(),
                    "python_full_version": platform.python_version().rstrip("+"),
                    "python_version": version,
                    "sys_platform": sys.platform,
                },
                "paths": {
                    "purelib": paths["purelib"],
                    "platlib": paths["platlib"],
                    "scripts": paths["scripts"],
                    "data": paths["data"],
                    "include": include,
                    "stdlib": paths["stdlib"],
                },
                "externally_managed": None if prefix else externally_managed(paths["stdlib"]),
                "is_venv": prefix is not None,
                "system_site_packages": values.get("include-system-site-packages", "").lower() == "true",
            }
        )
    )


main()

"""Uses torch as its user will, and tells how it went: one JSON object a line, on what was stdout.

Run by torchfix in a process of its own, since a broken library can take the process with it. What is about to happen
is said before it happens, so that the last line tells where a crash or a hang was.
"""

import json
import os
import sys

channel = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
channel.write("\n")  # ends what a `.pth` file may have printed
os.dup2(2, 1)  # what libraries print is no part of the answer


def say(event, **fields):
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = value[:4000].encode("utf-8", "replace").decode()  # no lone surrogates of odd paths
    channel.write(json.dumps({"event": event, **fields}) + "\n")
    channel.flush()


def said_by(error):
    return f"{type(error).__name__}: {error}"


def be_quiet_when_killed():
    """No core file of gigabytes, no dialog box, and Ctrl-C ends native code too."""
    import faulthandler
    import signal

    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.name == "nt":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(0x0001 | 0x0002 | 0x8000)
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def import_torch():
    import importlib.util

    spec = importlib.util.find_spec("torch")
    if spec is None:
        return None
    if spec.origin is None:
        raise ImportError(f"`{list(spec.submodule_search_locations)[0]}` holds no torch, only what is left of one")
    import torch

    say("torch", version=str(torch.__version__), cuda=torch.version.cuda or getattr(torch.version, "hip", None))
    return torch


def operands(torch):
    """Small whole numbers: sums of their products are exact on every device, in every precision."""
    size = 32
    a = [[float((7 * i + 3 * j) % 5) for j in range(size)] for i in range(size)]
    b = [[float((2 * i + 5 * j) % 7) for j in range(size)] for i in range(size)]
    image = [[[[float((i + 2 * j + c) % 4) for j in range(16)] for i in range(16)] for c in range(3)]]
    kernel = [[[[float((i + j + c + o) % 3) for j in range(3)] for i in range(3)] for c in range(3)] for o in range(4)]
    product = [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]
    convolved = [[[[
        sum(image[0][c][y + i][x + j] * kernel[o][c][i][j] for c in range(3) for i in range(3) for j in range(3))
        for x in range(14)] for y in range(14)] for o in range(4)]]
    return [torch.tensor(values) for values in (a, b, image, kernel)], product, convolved


def flatten(values):
    return [x for value in values for x in flatten(value)] if isinstance(values, list) else [values]


def agree(have, want):
    have, want = flatten(have), flatten(want)
    return len(have) == len(want) and all(abs(x - y) <= 0.01 * max(1.0, abs(y)) for x, y in zip(have, want))


def compute(torch, device, name=None):
    """A product of matrices and a convolution, against what plain Python makes of them."""
    say("stage", stage="compute", subject=device)
    error = None
    try:
        tensors, product, convolved = operands(torch)
        a, b, image, kernel = [tensor.to(device) for tensor in tensors]
        if not agree((a @ b).tolist(), product):
            error = "a product of matrices comes out wrong"
        elif not agree(torch.conv2d(image, kernel).tolist(), convolved):
            error = "a convolution comes out wrong"
    except Exception as failure:
        error = said_by(failure)
    say("device", device=device, name=name, error=error)


def driver_opens():
    import ctypes

    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    return True


def compute_on_gpus(torch):
    import warnings

    say("stage", stage="ask-for-gpus")
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        return
    error, count = None, 0
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        available = bool(torch.cuda.is_available())
        try:
            if available:
                count = torch.cuda.device_count()
            else:
                torch.cuda.init()
        except Exception as failure:
            error = str(failure)
        if warned and not available:
            error = str(warned[0].message)
    say("gpu", available=available, error=error, driver=driver_opens())
    for index in range(count):
        try:
            name = torch.cuda.get_device_name(index)
        except Exception:
            name = None  # computing there will say what is wrong
        compute(torch, f"cuda:{index}", name)


def cudnn(torch):
    """Opens cuDNN and lets torch compare it with the one it was built against."""
    if torch.version.cuda is None:
        return
    say("stage", stage="ask-cudnn")
    try:
        version = torch.backends.cudnn.version()
    except Exception as failure:
        say("unopened", path="cudnn", error=said_by(failure))
    else:
        if version:
            say("cudnn", version=str(version))


def libraries(torch):
    """torch's own libraries, then those of the distributions it pins for CUDA."""
    suffixes = (".dll", ".pyd") if os.name == "nt" else (".so", ".dylib")

    def is_library(name):
        stem = name.rstrip("0123456789.") if os.name != "nt" else name.lower()
        return name.endswith(suffixes) or stem.endswith(suffixes)

    root = os.path.dirname(os.path.abspath(torch.__file__))
    for folder in (os.path.join(root, "lib"), root):
        if os.path.isdir(folder):
            yield from (os.path.join(folder, name) for name in sorted(os.listdir(folder)) if is_library(name))
    yield from sorted(path for path in pinned_files() if is_library(os.path.basename(path)))


def pinned_files():
    import importlib.metadata
    import re

    waiting, seen = ["torch"], {"torch"}
    while waiting:
        try:
            distribution = importlib.metadata.distribution(waiting.pop())
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform, or an extra nobody asked for
        for requirement in distribution.requires or []:
            name = re.match(r"[A-Za-z0-9._-]*", requirement)[0].lower()
            if name.startswith(("nvidia-", "cuda-")) and name not in seen:
                seen.add(name)
                waiting.append(name)
        if distribution.metadata["Name"].lower() != "torch":
            yield from (str(distribution.locate_file(file)) for file in distribution.files or [])


def open_libraries(torch):
    import ctypes

    opened = set()
    for path in libraries(torch):
        real = os.path.realpath(path)
        if real in opened:
            continue
        opened.add(real)
        say("stage", stage="open", subject=path)
        try:
            ctypes.CDLL(path)  # resolves every symbol, as Python does with extension modules
        except OSError as error:
            say("unopened", path=path, error=str(error))
        else:
            say("opened")


def main():
    be_quiet_when_killed()
    say("stage", stage="import")
    try:
        torch = import_torch()
    except BaseException as error:
        say("raised", error=said_by(error))
        return
    if torch is None:
        say("no-torch")
        return
    try:
        # Computing comes first: a library opened by its path would hide that the search for it fails.
        compute(torch, "cpu")
        compute_on_gpus(torch)
        cudnn(torch)
        open_libraries(torch)
    except BaseException as error:
        say("raised", error=said_by(error))
    else:
        say("end")


main()
channel.close()
sys.stderr.flush()
os._exit(0)  # what libraries do when the process ends is not what is checked

#!/usr/bin/env python3
"""From cargo's JSON messages on stdin to a line for every test executable: its name (lib, bin or the target's), a tab, its path."""

import json
import sys

for line in sys.stdin:
    message = json.loads(line) if line.startswith("{") else {}
    if message.get("executable") and message["profile"]["test"]:
        target = message["target"]
        name = target["kind"][0] if target["kind"][0] in ("lib", "bin") else target["name"]
        print(name, message["executable"], sep="\t")

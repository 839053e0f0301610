"""Builds with tools in which each function tells that can, and what they leave beside what plain ones do."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import gotests
from said import OUT, say

TOOLS = ["asm", "cgo", "compile", "cover", "go", "link", "vet"]


def kept(cache):
    """What a build cache has: names of outputs, which are the SHA-256 of their bytes; each is looked at."""
    outputs = {}
    for path in cache.glob("??/*-d"):
        outputs[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return outputs


def complaints(gotrace, packages):
    """How the caches of both builds differ."""
    OUT.mkdir(parents=True, exist_ok=True)
    trace = OUT / "build.gotrace"
    probes = gotests.probes(*(f"{tool}:*" for tool in TOOLS))
    run = [gotrace, "run", "--quiet", "--max-tax", "off", "--backend", "patch", *probes, "-o", trace]
    caches = []
    with tempfile.TemporaryDirectory(prefix="gotrace-soak-") as folder:
        for name, wrap in (("plain", []), ("traced", [*run, "--"])):
            cache = Path(folder, name)
            environment = os.environ | {"GOCACHE": str(cache), "GOTOOLCHAIN": "local", "GOFLAGS": ""}
            subprocess.run([*wrap, "go", "build", *packages], env=environment, cwd=folder, check=True)
            caches.append(kept(cache))
            say(f"{name}: {len(caches[-1])} outputs in the cache")
    complaints = []
    if not caches[0]:
        complaints.append("the plain build has left nothing in its cache")
    for output in sorted(caches[0].items() ^ caches[1].items()):
        complaints.append(f"the caches differ: {output[0]}")
    recorded = gotests.recording(gotrace, trace)
    say(f"{recorded.calls:,} entries and exits of {recorded.probes:,} functions")
    for loss in recorded.forgive_drops():
        say(loss)
    return complaints + recorded.complaints()

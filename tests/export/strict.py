"""Reads JSON as strictly as RFC 8259 has it, and what I-JSON adds: UTF-8, no key twice."""

import json
import sys


def no_key_twice(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key stands twice: {keys}"
    return dict(pairs)


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def text():
    """Standard input, which must be UTF-8."""
    return sys.stdin.buffer.read().decode("utf-8", errors="strict")


def loads(line):
    return json.loads(line, object_pairs_hook=no_key_twice, parse_constant=no_constant)

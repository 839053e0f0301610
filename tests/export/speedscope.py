"""Reads speedscope's file format as its importer does, and prints what it says.

Lines, their fields between tabs: `profile NAME UNIT START END`, `sample NAME WEIGHT FRAME...`
(outermost first).
"""

import strict


def put(*fields):
    print(*(str(field).replace("\n", "\\n") for field in fields), sep="\t")


whole = strict.loads(strict.text())
assert whole["$schema"] == "https://www.speedscope.app/file-format-schema.json"
assert isinstance(whole["name"], str) and isinstance(whole["exporter"], str)
frames = [frame["name"] for frame in whole["shared"]["frames"]]
for profile in whole["profiles"]:
    assert profile["type"] == "sampled"
    put("profile", profile["name"], profile["unit"], profile["startValue"], profile["endValue"])
    samples, weights = profile["samples"], profile["weights"]
    assert len(samples) == len(weights)
    assert profile["endValue"] - profile["startValue"] == sum(weights)
    for stack, weight in zip(samples, weights):
        assert all(0 <= frame < len(frames) for frame in stack)
        put("sample", profile["name"], weight, *(frames[frame] for frame in stack))

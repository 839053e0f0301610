"""What `go test -json` says of tests, and a `gotrace dump` of its recording."""

import json
from collections import Counter
from dataclasses import dataclass, field

ENDS = ("pass", "fail", "skip")
# Of a loss of calls: they were made faster than they could be read (src/capture/linux/patch/drain.rs).
DROPS = "the memory for them was full"


def of(lines):
    """The outcome of each test. A line that is no JSON was printed by a test; it is none of ours."""
    outcomes = {}
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "Test" in event:
            if event.get("Action") in ENDS:
                outcomes[event["Test"]] = event["Action"]
            else:
                outcomes.setdefault(event["Test"], "unfinished")
    return outcomes


def words(outcomes):
    """How many ended how."""
    counts = Counter(outcomes.values())
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no test"


def differences(plain, traced):
    """Tests that ended otherwise, or ran in one alone."""
    return sorted(test for test in plain.keys() | traced.keys() if plain.get(test) != traced.get(test))


@dataclass
class Recorded:
    """What a recording tells of itself."""

    probes: int = 0
    calls: int = 0
    dropped: list = field(default_factory=list)
    losses: list = field(default_factory=list)
    blind: list = field(default_factory=list)
    cut: int = 0

    @classmethod
    def of(cls, lines):
        """Counts in JSON lines. Most are calls, which are not looked into."""
        recorded = cls()
        for line in lines:
            if line.startswith('{"record":"call"'):
                recorded.calls += 1
                continue
            recorded.add(json.loads(line))
        return recorded

    def add(self, record):
        """Keeps what a record tells."""
        match record["record"]:
            case "trace":
                self.cut += record["damaged_blocks"] + record["lost_calls"] + (not record["sealed"])
            case "probe":
                self.probes += 1
            case "probe_dropped":
                self.dropped.append(f"probe {record['probe']} was given up: {record['why']}")
            case "blind_spot":
                self.blind.append(f"{record['what']}: {record['why']}")
            case "loss":
                self.losses.append(f"{record['count']} {record['what']} lost: {record['why']}")

    def forgive_drops(self):
        """Takes the calls away that there was no room for, and returns them."""
        drops = [loss for loss in self.losses if DROPS in loss]
        self.losses = [loss for loss in self.losses if DROPS not in loss]
        return drops

    def complaints(self):
        """What must not be."""
        complaints = self.dropped + self.losses
        if self.cut:
            complaints.append("the trace is not whole")
        if not self.calls:
            complaints.append("no call was recorded")
        return complaints

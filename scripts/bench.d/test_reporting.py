"""What the page makes of reports and exports."""

import base64
import gzip
import struct
import unittest

from large import Rounds
from reporting import Reporting, spans_of


def reporting(**changed):
    """Everything as it should be, but for what is changed: 10 million samples in 2.5 s are 4 million a second."""
    found = dict(
        stacks=1, report=Rounds([4.0, 4.2], [250, 260], [4.0, 4.2]), flamegraph=Rounds([1.5], [150], [1.5]), pprof=Rounds([2.5], [60], [2.5]),
        perfetto=Rounds([4.0], [30], [4.0]), large_page=6_100_000, small_page=1_250_000, script=79_000, spans=3,
        first_paint_s=[0.7], frames_per_s=[58.0],
    )
    return "\n".join(Reporting(**found | changed).section("a machine", 1.0, 0.1))


class Section(unittest.TestCase):
    def test_what_is_within_the_bounds_is_reached(self):
        page = reporting()
        self.assertNotIn("missed", page)
        self.assertNotIn("not resolved", page)
        self.assertIn("| ≤ 5 s | 4.10 s [4.00 s, 4.20 s] | reached | CPU time 4.10 s [4.00 s, 4.20 s]; page of 6.1 MB |", page)
        self.assertIn("| export to pprof, samples a second | ≥ 2 million | 4.00 million [4.00 million, 4.00 million] | reached |", page)
        self.assertIn("| ≤ 2 MB | 1.25 MB | reached |", page)

    def test_what_is_not_is_missed(self):
        for changed in (
            {"report": Rounds([6.0], [250], [6.0])}, {"report": Rounds([4.0], [301], [4.0])}, {"flamegraph": Rounds([2.1], [1], [2.1])},
            {"perfetto": Rounds([5.1], [1], [5.1])}, {"small_page": 2_000_001}, {"script": 80_001}, {"first_paint_s": [1.1]},
            {"frames_per_s": [29.0]},
        ):
            self.assertEqual(reporting(**changed).count("| missed |"), 1, changed)


class Page(unittest.TestCase):
    def test_spans_are_counted_by_the_head_of_their_column(self):
        column = struct.pack("<BBHI", 2, 0, len("spans.start"), 300_000) + b"spans.start"
        data = base64.b64encode(gzip.compress(b"gotrace\x01" + column))
        self.assertEqual(spans_of(b'<script type="application/octet-stream" id="data">' + data + b"</script>"), 300_000)

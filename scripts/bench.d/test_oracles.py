"""The counting, on lines as the tools write them."""

import json
import unittest

import measure
import oracles


# Innermost first.
STACKS = [
    (1, "main.main"),
    (2, "a", "runtime.goexit"),
    (3, "a", "runtime.mstart.abi0"),
    (4, "runtime.systemstack"),
]


class DumpLines(unittest.TestCase):
    def test_counts(self):
        records = [
            {"record": "setting", "key": "backend", "value": "bpf", "source": "default"},
            {"record": "process", "process": 0, "own": False, "exe": "/go/bin/go"},
            {"record": "process", "process": 1, "own": False, "exe": "/go/pkg/tool/compile"},
            {"record": "process", "process": 2, "own": True, "exe": "/bin/gotrace"},
            {"record": "loss", "count": 7},
            *(
                {"record": "stack", "stack": stack, "frames": [{"name": name} for name in names]}
                for stack, *names in STACKS
            ),
            {"record": "sample", "kind": "on_cpu", "process": 0, "stack": 1},
            {"record": "sample", "kind": "on_cpu", "process": 1, "stack": 2},
            {"record": "sample", "kind": "on_cpu", "process": 1, "stack": 3},
            {"record": "sample", "kind": "on_cpu", "process": 1, "stack": 4},
            {"record": "sample", "kind": "on_cpu", "process": 1, "stack": 0},
            {"record": "sample", "kind": "off_cpu", "process": 1, "stack": 2},
            {"record": "call", "edge": "entry"},
            {"record": "call", "edge": "exit"},
            {"record": "ending", "own_cpu_ns": 1_500_000_000},
        ]
        dump = oracles.Dump.of(json.dumps(record) for record in records)
        self.assertEqual((dump.processes, dump.samples, dump.calls, dump.lost), (2, 5, 2, 7))
        self.assertEqual((dump.compile_samples, dump.rooted), (4, 2))
        self.assertEqual((dump.own_cpu_s, dump.backend), (1.5, "bpf"))


class Roots(unittest.TestCase):
    def test_what_a_stack_begins_with(self):
        for name in ("runtime.goexit", "runtime.mstart.abi0", "runtime.rt0_go", "_rt0_amd64_linux"):
            self.assertTrue(oracles.is_root(name), name)
        for name in ("runtime.goexit0", "runtime.mstart1", "runtime.main", "main.main", "[unknown]"):
            self.assertFalse(oracles.is_root(name), name)


class Strace(unittest.TestCase):
    def test_only_what_succeeded_counts(self):
        lines = [
            '10 execve("/usr/local/bin/go", ["go"], 0x7ff /* 9 vars */) = -1 ENOENT (No such file)\n',
            '10 execve("/usr/bin/go", ["go"], 0x7ff /* 9 vars */) = 0\n',
            '11 execve("/go/compile", ["compile"], 0xc0 /* 9 vars */ <unfinished ...>\n',
            "12 --- SIGURG {si_signo=SIGURG} ---\n",
            "11 <... execve resumed>)              = 0\n",
            "11 +++ exited with 0 +++\n",
        ]
        self.assertEqual(oracles.successful_execs(lines), 2)


class PerfScripts(unittest.TestCase):
    def test_samples_of_compile_and_their_roots(self):
        text = (
            "compile \n\t  46a0 main.a\n\t  46a1 runtime.goexit.abi0\n\n"
            "compile \n\t  46a0 runtime.systemstack.abi0\n\n"
            "go \n\t  46a0 runtime.goexit.abi0\n\n"
            "compile \n\t  46a0 a\n\t  46a1 runtime.mstart.abi0\n"
        )
        script = oracles.PerfScript.of(text.splitlines())
        self.assertEqual((script.samples, script.compile_samples, script.rooted), (4, 3, 2))


class Status(unittest.TestCase):
    def test_high_water(self):
        self.assertEqual(measure.high_water_kib("Name:\tx\nVmHWM:\t   1234 kB\nVmRSS:\t 1 kB\n"), 1234)
        self.assertEqual(measure.high_water_kib("Name:\tx\nState:\tZ (zombie)\n"), 0)


if __name__ == "__main__":
    unittest.main()

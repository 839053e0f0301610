"""What a round says, on lines as the test prints them."""

import unittest

import torture


class Tests(unittest.TestCase):
    def test_runs_are_counted(self):
        printed = (
            "running 2 tests\n"
            "amd64 plain []: 1234 records\n"
            "amd64 race []: main.choose is left alone\n"
            'arm64 plain ["qemu-aarch64-static", "-L", "/usr"]: 56 records\n'
            "skipped: a qemu for arm64\n"
        )
        self.assertEqual(torture.held(printed), [("amd64 plain", 1234), ("arm64 plain", 56)])


if __name__ == "__main__":
    unittest.main()

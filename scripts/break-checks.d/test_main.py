"""Which tests are asked about a place: python3 -m unittest discover --start-directory scripts/break-checks.d"""

import unittest

from main import tests_of


class Tests(unittest.TestCase):
    def test_a_file_of_a_decoder_is_asked_by_its_own_tests_first(self):
        place = "src/capture/decode/qemu.rs:12:5: delete ! in read"
        self.assertEqual(tests_of(place), ["capture::decode::qemu", "capture::decode"])

    def test_a_file_in_a_folder_is_asked_by_its_own_tests_then_by_the_folders(self):
        place = "src/capture/decode/rosetta/regions.rs:12:5: delete ! in read"
        own = "capture::decode::rosetta::regions"
        self.assertEqual(tests_of(place), [own, "capture::decode::rosetta", "capture::decode"])
        place = "src/capture/decode/rosetta/mod.rs:12:5"
        self.assertEqual(tests_of(place), ["capture::decode::rosetta", "capture::decode"])

    def test_elsewhere_a_room_is_what_lies_in_src(self):
        place = "src/binary/macho/header.rs:12:5"
        self.assertEqual(tests_of(place), ["binary::macho::header", "binary::macho", "binary"])
        self.assertEqual(tests_of("src/import/mod.rs:1:2"), ["import"])


if __name__ == "__main__":
    unittest.main()

//! Perf maps: lines in, what code is that was made while a program ran out.
//!
//! A program that makes code may write `/tmp/perf-PID.map`, with a line `START BYTES NAME` for each
//! piece, the numbers in hexadecimal (`tools/perf/Documentation/jit-interface.txt` of Linux). qemu's
//! user mode does with `-perfmap`, since 8.0; there a piece is what became of one instruction, and
//! its name is `guest-0xADDRESS`, or `FUNCTION+0xOFFSET` where it has read the program's symbols
//! (`tcg/perf.c`).

/// What a piece of code was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// The translated program's code at this address.
    Guest(u64),
    /// A function of this name.
    Function(Vec<u8>),
}

impl Made {
    fn of(name: &[u8]) -> Self {
        if let Some(address) = name.strip_prefix(b"guest-0x").and_then(hexadecimal) {
            return Self::Guest(address);
        }
        let plus = name.windows(3).rposition(|bytes| bytes == b"+0x");
        let function = plus.and_then(|at| {
            let (function, offset) = name.split_at_checked(at)?;
            hexadecimal(offset.get(3..)?).map(|_| function)
        });
        Self::Function(function.unwrap_or(name).to_vec())
    }
}

/// Looks addresses up in a map that is read line by line, so that its size does not matter.
#[derive(Debug)]
pub struct Search {
    /// In order.
    asked: Vec<(u64, Option<Made>)>,
}

impl Search {
    /// For these addresses.
    pub fn new(addresses: impl Iterator<Item = u64>) -> Self {
        let mut asked: Vec<_> = addresses.map(|address| (address, None)).collect();
        asked.sort_unstable_by_key(|(address, _)| *address);
        Self { asked }
    }

    /// Reads the next line. What is no line of a map says nothing. Where pieces overlap the last one
    /// counts: the memory was used again.
    pub fn line(&mut self, line: &[u8]) {
        let Some((start, bytes, name)) = piece(line) else {
            return;
        };
        let first = self.asked.partition_point(|(address, _)| *address < start);
        let asked = self.asked.iter_mut().skip(first);
        for (_, made) in asked.take_while(|(address, _)| address.wrapping_sub(start) < bytes) {
            *made = Some(Made::of(name));
        }
    }

    /// What was found, in the order of the addresses.
    pub fn found(self) -> impl Iterator<Item = (u64, Made)> {
        let asked = self.asked.into_iter();
        asked.filter_map(|(address, made)| Some((address, made?)))
    }
}

/// A line's start, size and name.
fn piece(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let start = hexadecimal(words.next()?)?;
    let bytes = hexadecimal(words.next()?)?;
    let name = words.next()?.trim_ascii();
    (!name.is_empty()).then_some((start, bytes, name))
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(digits).ok()?;
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(map: &[u8], addresses: &[u64]) -> Vec<(u64, Made)> {
        let mut search = Search::new(addresses.iter().copied());
        for line in map.split(|byte| *byte == b'\n') {
            search.line(line);
        }
        search.found().collect()
    }

    fn function(name: &str) -> Made {
        Made::Function(name.into())
    }

    /// As qemu 10.0.2 writes it; the fourth as one with the program's symbols would.
    const MAP: &[u8] = b"7f2538000000 2d tcg-prologue-buffer\n\
        7f2538000100 30 guest-0x8a670\n\
        7f2538000200 2c guest-0x87cc0\n\
        7f253800022c c main.before+0x1c\n";

    #[test]
    fn an_address_is_what_its_piece_was_made_from() {
        let asked = [
            0x7f25_3800_022c,
            0x7f25_3800_0237,
            0x7f25_3800_0238, // behind the last
            0x7f25_3800_0000,
            0x7f25_3800_002d, // between
            0x7f25_3800_012f,
            0,
            u64::MAX,
        ];
        let expected = [
            (0x7f25_3800_0000, function("tcg-prologue-buffer")),
            (0x7f25_3800_012f, Made::Guest(0x8a670)),
            (0x7f25_3800_022c, function("main.before")),
            (0x7f25_3800_0237, function("main.before")),
        ];
        assert_eq!(found(MAP, &asked), expected);
    }

    #[test]
    fn memory_that_was_used_again_is_what_it_was_last() {
        let map = b"1000 20 guest-0x1\n1010 20 guest-0x2\n1000 0 guest-0x3\n";
        let expected = [(0x1000, Made::Guest(1)), (0x1010, Made::Guest(2))];
        assert_eq!(found(map, &[0x1000, 0x1010]), expected);
    }

    #[test]
    fn names_of_other_programs_are_left_whole() {
        let map = b"0x10 10 LazyCompile:~f /a b.js:1\n20 10 a+0xz\n30 10 guest-0x\n40 10 +0x1\r\n";
        let expected = [
            (0x10, function("LazyCompile:~f /a b.js:1")),
            (0x20, function("a+0xz")),
            (0x30, function("guest-0x")),
            (0x40, function("")),
        ];
        assert_eq!(found(map, &[0x10, 0x20, 0x30, 0x40]), expected);
    }

    #[test]
    fn what_is_no_line_of_a_map_says_nothing() {
        for line in [
            &b""[..],
            b"\n",
            b"10",
            b"10 10",
            b"10 10 ",
            b"10 10 \t\r",
            b"g 10 name",
            b"10 -1 name",
            b"10 10000000000000000 name",
            b" 10 10 name",
            b"\xff\xff \0 \xfe",
        ] {
            assert_eq!(found(line, &[0, 0x10, 0x18]), [], "{line:?}");
        }
        // Up to the very end of memory, and beyond it.
        let map = b"fffffffffffffff0 ffffffffffffffff name";
        assert_eq!(found(map, &[u64::MAX]).len(), 1);
    }

    proptest::proptest! {
        /// Whatever is there, an address has at most one origin, in order, and nobody panics.
        #[test]
        fn any_bytes_are_read_through(map: Vec<u8>, lines in ".{0,200}", asked: Vec<u64>) {
            for map in [&map[..], lines.as_bytes()] {
                let found = found(map, &asked);
                proptest::prop_assert!(found.len() <= asked.len());
                proptest::prop_assert!(found.is_sorted_by_key(|(address, _)| *address));
            }
        }
    }
}

//! `/proc/PID/stat` of Linux: text in, numbers out.

use crate::trace::{Nanos, Pid};

/// What the kernel counts of a process.
///
/// ```text
/// pid (name) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt
/// utime stime cutime cstime priority nice threads itrealvalue starttime vsize rss rsslim startcode ...
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcStat {
    /// The letter of its state: `T` stopped, `Z` ended and not waited for.
    pub state: u8,
    /// Who forked it, or adopted it.
    pub parent: Pid,
    /// CPU time in user mode, that of ended threads included.
    pub user: Nanos,
    /// CPU time in the kernel.
    pub system: Nanos,
    /// How many threads it has.
    pub threads: u32,
    /// When it was forked, since the machine started, time in suspend included.
    pub since_boot: Nanos,
    /// First address of its code; 0 where the reader may not know.
    pub start_code: u64,
}

/// Clock ticks a second: `USER_HZ`, 100 on every architecture of Go.
const TICKS: u64 = 100;
const NANOS_A_TICK: u64 = 1_000_000_000 / TICKS;

impl ProcStat {
    /// Reads the text; `None` where a number is missing.
    ///
    /// The name may hold anything, closing parentheses too: fields count from the last one.
    #[must_use]
    pub fn read(stat: &[u8]) -> Option<Self> {
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        let text = std::str::from_utf8(stat.get(name_end.checked_add(1)?..)?).ok()?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        // proc(5) counts from 1, with the number and the name first.
        let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
        let number = |at: usize| field(at)?.parse::<u64>().ok();
        let time = |at: usize| {
            let ticks = number(at)?;
            Some(Nanos(ticks.saturating_mul(NANOS_A_TICK)))
        };
        Some(Self {
            state: *field(3)?.as_bytes().first()?,
            parent: Pid(u32::try_from(number(4)?).ok()?),
            user: time(14)?,
            system: time(15)?,
            threads: u32::try_from(number(20)?).unwrap_or(u32::MAX),
            since_boot: time(22)?,
            start_code: number(26).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_harms_nothing() {
        let line = b"7 (a) 1 (b) S 42 1 1 0 -1 4 1 2 3 4 15 6 99 98 20 0 3 0 250 1 1 9 4194304 1 1";
        let found = ProcStat::read(line).expect("whole");
        let expected = ProcStat {
            state: b'S',
            parent: Pid(42),
            user: Nanos(150_000_000),
            system: Nanos(60_000_000),
            threads: 3,
            since_boot: Nanos(2_500_000_000),
            start_code: 0x40_0000,
        };
        assert_eq!(found, expected);
    }

    /// State, parent and the times and numbers of proc(5) are needed; the first address of the code is not.
    #[test]
    fn a_line_ends_nowhere_before_its_start() {
        let line = "7 (a) S 42 1 1 0 -1 4 1 2 3 4 15 6 99 98 20 0 3 0 250 1 1 9 4194304";
        let words: Vec<&str> = line.split(' ').collect();
        for count in 0..22 {
            let cut = words[..count].join(" ");
            assert_eq!(ProcStat::read(cut.as_bytes()), None, "{cut}");
        }
        for count in 22..26 {
            let found = ProcStat::read(words[..count].join(" ").as_bytes());
            assert_eq!(found.map(|found| found.start_code), Some(0), "{count}");
        }
        // Fields 4, 14, 15, 20 and 22, spoilt.
        for field in [4, 14, 15, 20, 22] {
            let mut words = words.clone();
            words[field - 1] = "x";
            let spoilt = words.join(" ");
            assert_eq!(ProcStat::read(spoilt.as_bytes()), None, "{spoilt}");
        }
    }

    #[test]
    fn a_line_that_is_cut_is_none() {
        for line in [&b""[..], b"7 (a", b"7 (a)", b"7 (a) S 42", b"7 (a) S x 1"] {
            assert_eq!(ProcStat::read(line), None);
        }
    }
}

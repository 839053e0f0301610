//! Records for tests, built number by number in the order of `probes/linux/records.h`.
#![expect(clippy::arithmetic_side_effects, reason = "tests may panic")]

/// Process, thread, time.
pub(super) type Head = (u32, u32, u64);

pub(super) fn made(head: Head, kind: u16, flags: u16, numbers: &[u64], rest: &[u8]) -> Vec<u8> {
    let (process, thread, time) = head;
    let mut bytes = Vec::new();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    let length = 24 + 8 * numbers.len() + rest.len();
    bytes.extend(u32::try_from(length).unwrap().to_le_bytes());
    bytes.extend(process.to_le_bytes());
    bytes.extend(thread.to_le_bytes());
    bytes.extend(time.to_le_bytes());
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(rest);
    bytes
}

/// 100 ns in all, of which a quarter of the ticks in the kernel; 5 ns of waiting for a processor,
/// 6 minor and 7 major faults, 8 and 9 switches, 10 and 11 bytes.
pub(super) const USAGE: [u64; 10] = [100, 30, 10, 5, 6, 7, 8, 9, 10, 11];

/// An exec of an amd64 program with so many bytes of arguments: executable, directory, path
/// that was asked for.
pub(super) fn made_exec(head: Head, flags: u16, argv: u64, paths: [&[u8]; 3]) -> Vec<u8> {
    let mut numbers = USAGE.to_vec();
    // dev, ino, size; the same of a guest; argv_bytes
    numbers.extend([0x0080_0001, 22, 33, 0, 0, 0, argv]);
    let mut rest = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0".to_vec();
    for path in paths {
        rest.extend(u16::try_from(path.len()).unwrap().to_le_bytes());
    }
    rest.extend([0; 6]);
    rest.extend(paths.concat());
    made(head, 2, flags, &numbers, &rest)
}

/// The end of a thread that began at 1 ns, in a process that had 4096 bytes resident.
pub(super) fn made_end(head: Head, flags: u16, wait_status: u64) -> Vec<u8> {
    let mut numbers = vec![1];
    numbers.extend(USAGE);
    numbers.extend([4096, wait_status]);
    made(head, 4, flags, &numbers, b"compile\0garbage!")
}

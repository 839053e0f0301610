//! What a process has used, from `proc_pid_rusage`: bytes in, values out.
//!
//! The structure has grown with each version of itself (`bsd/sys/resource.h` of xnu), and a kernel fills in those that
//! it knows: version 4 since macOS 10.13, version 6 since macOS 13. Times are in ticks of `mach_absolute_time`.
//!
//! ```text
//! 0x00 uuid   0x10 user  0x18 system  0x20 wakeups (2)  0x30 page-ins  0x38 wired  0x40 resident  0x48 footprint
//! 0x50 start, end  0x60 children (6)  0x90 bytes read  0x98 bytes written  0xa0 classes of service (7)
//! 0xd8 billed, serviced  0xe8 logical writes  0xf0 largest footprint  0xf8 instructions  0x100 cycles
//! 0x108 energy (2)  0x118 largest footprint of an interval  0x120 runnable                       version 4: 0x128
//! 0x128 flags  0x130 user, 0x138 system on performance cores  0x140 instructions, 0x148 cycles on these
//! 0x150 energy (nJ)  0x158 that of performance cores  ...                                        version 6: 0x1d0
//! ```

use crate::capture::decode::darwin_process::Timebase;
use crate::trace::{Nanos, ProcessorCounts, Usage};

/// A version of the structure: its number, and its bytes.
pub const VERSIONS: [(i32, usize); 2] = [(6, 0x1d0), (4, 0x128)];

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// CPU time, memory, and bytes from and to disks.
    pub usage: Usage,
    /// Instructions that it has executed; none where the processor does not count.
    pub instructions: u64,
    /// Cycles that these took.
    pub cycles: u64,
    /// What only version 6 has.
    pub by_core: Option<ByCore>,
}

/// What a process has used on performance cores, of which Intel Macs have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByCore {
    /// CPU time.
    pub cpu: Nanos,
    /// Instructions.
    pub instructions: u64,
    /// Cycles.
    pub cycles: u64,
    /// Energy of all cores, in nanojoules.
    pub energy_nj: u64,
}

impl Counters {
    /// Reads what the kernel filled in; `None` where that is less than version 4.
    #[must_use]
    pub fn read(bytes: &[u8], timebase: Timebase) -> Option<Self> {
        let long = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let time = |at: usize| Some(timebase.nanos(long(at)?));
        // The last of version 4.
        long(0x120)?;
        let by_core = || {
            Some(ByCore {
                cpu: Nanos(time(0x130)?.0.saturating_add(time(0x138)?.0)),
                instructions: long(0x140)?,
                cycles: long(0x148)?,
                energy_nj: long(0x150)?,
            })
        };
        Some(Self {
            usage: Usage {
                user: time(0x10)?,
                system: time(0x18)?,
                max_rss_bytes: long(0xf0)?,
                major_faults: long(0x30)?,
                read_bytes: long(0x90)?,
                written_bytes: long(0x98)?,
                ..Usage::default()
            },
            instructions: long(0xf8)?,
            cycles: long(0x100)?,
            by_core: by_core(),
        })
    }

    /// What the processor has counted of it.
    #[must_use]
    pub fn processor(&self) -> ProcessorCounts {
        let core = self.by_core.unwrap_or_default();
        ProcessorCounts {
            instructions: self.instructions,
            cycles: self.cycles,
            performance_core_instructions: core.instructions,
            performance_core_cycles: core.cycles,
            energy_nj: core.energy_nj,
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;

    /// The fields of `struct rusage_info_v6` in the order in which the header declares them, each with its number,
    /// from 1, times a thousand for a value.
    const FIELDS: &str = "user_time system_time pkg_idle_wkups interrupt_wkups pageins wired_size resident_size \
        phys_footprint proc_start_abstime proc_exit_abstime child_user_time child_system_time child_pkg_idle_wkups \
        child_interrupt_wkups child_pageins child_elapsed_abstime diskio_bytesread diskio_byteswritten \
        cpu_time_qos_default cpu_time_qos_maintenance cpu_time_qos_background cpu_time_qos_utility \
        cpu_time_qos_legacy cpu_time_qos_user_initiated cpu_time_qos_user_interactive billed_system_time \
        serviced_system_time logical_writes lifetime_max_phys_footprint instructions cycles billed_energy \
        serviced_energy interval_max_phys_footprint runnable_time flags user_ptime system_ptime pinstructions \
        pcycles energy_nj penergy_nj secure_time_in_system secure_ptime_in_system neural_footprint \
        lifetime_max_neural_footprint interval_max_neural_footprint";

    fn value(name: &str) -> u64 {
        let at = FIELDS.split_whitespace().position(|field| field == name);
        1_000 * (at.expect(name) as u64 + 1)
    }

    fn filled(length: usize) -> Vec<u8> {
        let mut bytes = vec![0x55; 16];
        for name in FIELDS.split_whitespace() {
            bytes.extend(value(name).to_le_bytes());
        }
        // ri_reserved[9]
        bytes.resize(bytes.len() + 9 * 8, 0);
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn a_process_is_read_as_the_header_declares_it() {
        let timebase = Timebase::new(125, 3).expect("no zero");
        let time = |name| Nanos(value(name) * 125 / 3);
        let whole = filled(VERSIONS[0].1);
        assert_eq!(whole.len(), 0x1d0, "sizeof(struct rusage_info_v6)");
        let found = Counters::read(&whole, timebase).expect("whole");
        let expected = Usage {
            user: time("user_time"),
            system: time("system_time"),
            max_rss_bytes: value("lifetime_max_phys_footprint"),
            major_faults: value("pageins"),
            read_bytes: value("diskio_bytesread"),
            written_bytes: value("diskio_byteswritten"),
            ..Usage::default()
        };
        assert_eq!(found.usage, expected);
        assert_eq!(found.instructions, value("instructions"));
        assert_eq!(found.cycles, value("cycles"));
        let core = found.by_core.expect("version 6");
        assert_eq!(core.cpu, time("user_ptime") + time("system_ptime"));
        assert_eq!(core.instructions, value("pinstructions"));
        assert_eq!(core.cycles, value("pcycles"));
        assert_eq!(core.energy_nj, value("energy_nj"));
        let mut counted = ProcessorCounts {
            instructions: value("instructions"),
            cycles: value("cycles"),
            performance_core_instructions: value("pinstructions"),
            performance_core_cycles: value("pcycles"),
            energy_nj: value("energy_nj"),
        };
        assert_eq!(found.processor(), counted);
        let older = Counters::read(&filled(VERSIONS[1].1), timebase).expect("version 4");
        assert_eq!((older.usage, older.by_core), (expected, None));
        counted.performance_core_instructions = 0;
        counted.performance_core_cycles = 0;
        counted.energy_nj = 0;
        assert_eq!(older.processor(), counted);
    }

    #[test]
    fn what_is_less_than_version_4_is_none() {
        let timebase = Timebase::new(1, 1).expect("no zero");
        for length in 0..VERSIONS[1].1 {
            assert_eq!(Counters::read(&filled(length), timebase), None, "{length}");
        }
        let hostile = Counters::read(&[0xff; 0x1d0], timebase).expect("whole");
        assert_eq!(hostile.by_core.expect("whole").cpu, Nanos(u64::MAX));
    }
}

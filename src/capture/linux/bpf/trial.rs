//! What a hit of a probe costs on this machine: measured on code of gotrace's own, once a run.

use super::attach::Programs;
use super::now;
use crate::capture::decode::bpf::TRIAL;
use crate::capture::linux::sys::Trial;
use crate::trace::Nanos;
use std::fs::{self, File};
use std::io;
use std::num::NonZero;
use std::os::fd::OwnedFd;

/// Bit 29 of a cookie: `COOKIE_TRIAL` of records.h. Bit 26: `COOKIE_REGISTER`.
const COOKIE: u64 = 1 << 29 | 1 << 26 | TRIAL.0 as u64;
/// Rounds, of which the median counts, and hits in each.
const ROUNDS: usize = 5;
const EMULATED: NonZero<u64> = NonZero::new(200).expect("not zero");
const SINGLE_STEPPED: NonZero<u64> = NonZero::new(10).expect("not zero");

/// Calibrated costs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Costs {
    /// Of a hit on an instruction that the kernel emulates.
    pub(super) emulated: Nanos,
    /// Of one that it steps over.
    pub(super) single_stepped: Nanos,
}

/// Tries both kinds. The probes stay where they are, for nothing passes there again, until what
/// comes beside the costs is dropped: the kernel waits then, some 20 ms.
pub(super) fn costs(programs: &Programs) -> io::Result<(Costs, Vec<OwnedFd>)> {
    let program = File::open("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    let place = |trial: Trial| {
        let offset = file_offset(&maps, trial.site());
        offset
            .map(|offset| (offset, COOKIE))
            .ok_or_else(|| io::Error::other("gotrace's own code is not in /proc/self/maps"))
    };
    let places = [place(Trial::Emulated)?, place(Trial::SingleStepped)?];
    let attached = programs.attach(&program, &places)?;
    if let Some((_, error)) = attached.refused.into_iter().next() {
        return Err(error);
    }
    let costs = Costs {
        emulated: median(Trial::Emulated, EMULATED),
        single_stepped: median(Trial::SingleStepped, SINGLE_STEPPED),
    };
    Ok((costs, attached.links))
}

fn median(trial: Trial, count: NonZero<u64>) -> Nanos {
    // The first hit of a place makes a page of this process' own.
    trial.pass(NonZero::<u64>::MIN);
    let mut rounds = [0; ROUNDS];
    for round in &mut rounds {
        let begun = now().0;
        trial.pass(count);
        *round = now().0.saturating_sub(begun) / count;
    }
    rounds.sort_unstable();
    Nanos(rounds[ROUNDS / 2])
}

/// Where in its file the byte at an address of this process lies, from `/proc/self/maps`:
/// `start-end rights offset ...`, in hexadecimal digits.
fn file_offset(maps: &str, address: u64) -> Option<u64> {
    maps.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (start, end) = words.next()?.split_once('-')?;
        let offset = words.nth(1)?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        (start..end)
            .contains(&address)
            .then(|| Some(address - start + number(offset)?))?
    })
}

#[cfg(test)]
mod tests {
    use super::file_offset;

    #[test]
    fn an_address_is_found_in_its_file() {
        let maps = "1000-2000 r--p 00000000 08:01 7 /x\n2000-5000 r-xp 00001000 08:01 7 /x\n";
        assert_eq!(file_offset(maps, 0x2010), Some(0x1010));
        assert_eq!(file_offset(maps, 0x1fff), Some(0xfff));
        assert_eq!(file_offset(maps, 0x5000), None);
    }
}

//! Which part of Rosetta runs, from the tag of the memory and from what dyld lists: no private structure is needed.

use crate::capture::decode::image_infos::TranslatedImage;

/// What memory that Rosetta asked for is for: `osfmk/mach/vm_statistics.h` of xnu, `VM_MEMORY_ROSETTA` to
/// `VM_MEMORY_ROSETTA_10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// 230, and 237 to 239, which have no name yet: anything else.
    General,
    /// 231: what belongs to a thread.
    ThreadContext,
    /// 232: where indirect jumps of the program lead.
    IndirectBranches,
    /// 233: return addresses of the machine.
    ReturnStack,
    /// 234: code that is translated while the program runs.
    ExecutableHeap,
    /// 235: segments of the program.
    LocalDescriptors,
    /// 236: memory for the translation.
    Arena,
}

impl Region {
    /// That of `user_tag`; `None` for memory that is not Rosetta's.
    #[must_use]
    pub fn of(user_tag: u32) -> Option<Self> {
        Some(match user_tag {
            230 | 237..=239 => Self::General,
            231 => Self::ThreadContext,
            232 => Self::IndirectBranches,
            233 => Self::ReturnStack,
            234 => Self::ExecutableHeap,
            235 => Self::LocalDescriptors,
            236 => Self::Arena,
            _ => return None,
        })
    }
}

/// Whose code a translated thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The program's, translated ahead of time.
    AheadOfTime,
    /// The program's, translated while it runs.
    JustInTime,
    /// Rosetta's own, of which the translation is a part.
    Runtime,
    /// None of these: libraries of the machine, system calls.
    Other,
}

impl Code {
    /// Of a place: `runtime` is where Rosetta's own image lies, `user_tag` is that of the memory.
    #[must_use]
    pub fn at(
        host: u64,
        translated: &[TranslatedImage],
        runtime: &std::ops::Range<u64>,
        user_tag: u32,
    ) -> Self {
        let ahead = |image: &TranslatedImage| {
            let into = host.checked_sub(image.code.0);
            into.is_some_and(|into| into < image.code_bytes)
        };
        if translated.iter().any(ahead) {
            return Self::AheadOfTime;
        }
        if runtime.contains(&host) {
            return Self::Runtime;
        }
        match Region::of(user_tag) {
            Some(Region::ExecutableHeap) => Self::JustInTime,
            Some(_) => Self::Runtime,
            None => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Avma;

    #[test]
    fn tags_are_those_of_the_kernel() {
        let tags = (229..=240).map(Region::of);
        let expected = [
            None,
            Some(Region::General),
            Some(Region::ThreadContext),
            Some(Region::IndirectBranches),
            Some(Region::ReturnStack),
            Some(Region::ExecutableHeap),
            Some(Region::LocalDescriptors),
            Some(Region::Arena),
            Some(Region::General),
            Some(Region::General),
            Some(Region::General),
            None,
        ];
        assert!(tags.eq(expected));
    }

    #[test]
    fn code_is_whose_it_is() {
        let image = TranslatedImage {
            address: Avma(0x1_0000_0000),
            code: Avma(0x2_0000),
            code_bytes: 0x1000,
            key: [0; 32],
        };
        let at = |host, tag| Code::at(host, &[image], &(0x3_0000..0x3_1000), tag);
        assert_eq!(at(0x2_0fff, 0), Code::AheadOfTime);
        assert_eq!(at(0x2_1000, 0), Code::Other);
        assert_eq!(at(0x3_0000, 0), Code::Runtime);
        assert_eq!(at(0x3_1000, 234), Code::JustInTime);
        assert_eq!(at(0x3_1000, 231), Code::Runtime);
        assert_eq!(at(0x2_0000, 234), Code::AheadOfTime);
    }
}

//! A CPU profile that a Go program wrote of itself (pprof, gzip or not): stacks out.
//!
//! Fields are those of `profile.proto` that stacks need; others are skipped.

use std::io::Read as _;

use prost::Message;

/// The largest profile that is unpacked: far above that of any compile, so that a hostile or
/// damaged one takes no more memory than this.
const LARGEST: u64 = 64 << 20;

/// One stack of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Where, innermost first. Each address lies inside its instruction, calls included.
    pub places: Vec<Place>,
    /// CPU time that it stands for, in nanoseconds.
    pub nanos: u64,
}

/// One place in the profiled program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file: position in [`Profile::files`], offset in the file.
    File(usize, u64),
    /// At an address that no mapping covers.
    Address(u64),
}

/// What a profile holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Paths of the mapped files.
    pub files: Vec<String>,
    /// Stacks.
    pub stacks: Vec<Stack>,
}

/// A profile that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is packed and cannot be unpacked.
    #[error("the profile is no whole gzip file")]
    Gzip(#[source] std::io::Error),
    /// It unpacks to too much.
    #[error("the profile unpacks to more than {LARGEST} bytes")]
    TooLarge,
    /// It is no profile.
    #[error("the profile is no profile.proto message")]
    Message(#[source] prost::DecodeError),
    /// It holds no CPU time.
    #[error("the profile has no values in nanoseconds")]
    NoCpuTime,
}

/// Reads a profile.
///
/// # Errors
///
/// When it cannot be unpacked or decoded, or holds no CPU time.
pub fn profile(bytes: &[u8]) -> Result<Profile, Malformed> {
    let mut plain = Vec::new();
    let message = if bytes.starts_with(&[0x1f, 0x8b]) {
        let unpacking = flate2::read::GzDecoder::new(bytes);
        let mut limited = unpacking.take(LARGEST.saturating_add(1));
        limited.read_to_end(&mut plain).map_err(Malformed::Gzip)?;
        if plain.len() as u64 > LARGEST {
            return Err(Malformed::TooLarge);
        }
        Message::decode(plain.as_slice())
    } else {
        Message::decode(bytes)
    };
    stacks_of(&message.map_err(Malformed::Message)?)
}

fn stacks_of(message: &proto::Profile) -> Result<Profile, Malformed> {
    let text = |index: i64| {
        let index = usize::try_from(index).ok()?;
        message.string_table.get(index).map(String::as_str)
    };
    let cpu = message
        .sample_type
        .iter()
        .position(|value| text(value.unit) == Some("nanoseconds"))
        .ok_or(Malformed::NoCpuTime)?;
    let files = message
        .mapping
        .iter()
        .map(|m| text(m.filename).unwrap_or_default());
    let place = |id: &u64| {
        let location = message
            .location
            .iter()
            .find(|location| location.id == *id)?;
        let address = location.address;
        let covers = |m: &proto::Mapping| (m.memory_start..m.memory_limit).contains(&address);
        Some(match message.mapping.iter().position(covers) {
            Some(index) => {
                let mapping = message.mapping.get(index)?;
                let within = address.checked_sub(mapping.memory_start)?;
                Place::File(index, within.checked_add(mapping.file_offset)?)
            }
            None => Place::Address(address),
        })
    };
    let stack = |sample: &proto::Sample| Stack {
        places: sample.location_id.iter().filter_map(place).collect(),
        nanos: sample
            .value
            .get(cpu)
            .map_or(0, |&value| value.unsigned_abs()),
    };
    Ok(Profile {
        files: files.map(ToOwned::to_owned).collect(),
        stacks: message.sample.iter().map(stack).collect(),
    })
}

mod proto {
    //! The messages of `profile.proto`, as far as they are read.

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Profile {
        #[prost(message, repeated, tag = "1")]
        pub(super) sample_type: Vec<ValueType>,
        #[prost(message, repeated, tag = "2")]
        pub(super) sample: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub(super) mapping: Vec<Mapping>,
        #[prost(message, repeated, tag = "4")]
        pub(super) location: Vec<Location>,
        #[prost(string, repeated, tag = "6")]
        pub(super) string_table: Vec<String>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct ValueType {
        #[prost(int64, tag = "2")]
        pub(super) unit: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Sample {
        #[prost(uint64, repeated, tag = "1")]
        pub(super) location_id: Vec<u64>,
        #[prost(int64, repeated, tag = "2")]
        pub(super) value: Vec<i64>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Mapping {
        #[prost(uint64, tag = "2")]
        pub(super) memory_start: u64,
        #[prost(uint64, tag = "3")]
        pub(super) memory_limit: u64,
        #[prost(uint64, tag = "4")]
        pub(super) file_offset: u64,
        #[prost(int64, tag = "5")]
        pub(super) filename: i64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Location {
        #[prost(uint64, tag = "1")]
        pub(super) id: u64,
        #[prost(uint64, tag = "3")]
        pub(super) address: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    // A message written by hand, byte by byte: strings "", "cpu", "nanoseconds", "/bin/x";
    // one value type; mapping 0x1000..0x2000 of /bin/x at offset 0x400; locations 1 (0x1010)
    // and 2 (0x9000); one sample of 10 ms in 1 called from 2.
    const SMALL: &[u8] = &[
        0x0a, 4, 0x08, 1, 0x10, 2, // sample_type
        0x12, 10, 0x0a, 2, 1, 2, 0x12, 4, 0x80, 0xad, 0xe2, 0x04, // sample, 10,000,000
        0x1a, 13, 0x08, 1, 0x10, 0x80, 0x20, 0x18, 0x80, 0x40, 0x20, 0x80, 0x08, 0x28,
        3, // mapping
        0x22, 5, 0x08, 1, 0x18, 0x90, 0x20, // location 1
        0x22, 6, 0x08, 2, 0x18, 0x80, 0xa0, 0x02, // location 2
        0x32, 0, 0x32, 3, b'c', b'p', b'u', 0x32, 11, b'n', b'a', b'n', b'o', b's', b'e', b'c',
        b'o', b'n', b'd', b's', 0x32, 6, b'/', b'b', b'i', b'n', b'/', b'x',
    ];

    #[test]
    fn stacks_come_with_places_in_files() {
        let found = profile(SMALL).expect("readable");
        assert_eq!(found.files, ["/bin/x"]);
        let places = vec![Place::File(0, 0x410), Place::Address(0x9000)];
        assert_eq!(
            found.stacks,
            [Stack {
                places,
                nanos: 10_000_000
            }]
        );
    }

    #[test]
    fn packed_profiles_are_unpacked() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(SMALL).expect("packed");
        let packed = packer.finish().expect("packed");
        assert_eq!(
            profile(&packed).expect("readable"),
            profile(SMALL).expect("readable")
        );
        let cut = &packed[..packed.len() / 2];
        assert!(matches!(profile(cut), Err(Malformed::Gzip(_))));
    }

    #[test]
    fn what_is_no_cpu_profile_is_refused() {
        assert!(matches!(profile(b"no profile"), Err(Malformed::Message(_))));
        assert!(matches!(profile(b""), Err(Malformed::NoCpuTime)));
    }

    #[test]
    fn a_bomb_is_refused() {
        let zeroes = vec![0; 1 << 20];
        let packed = |further: &[u8]| {
            let level = flate2::Compression::fast();
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), level);
            for _ in 0..64 {
                packer.write_all(&zeroes).expect("packed");
            }
            packer.write_all(further).expect("packed");
            packer.finish().expect("packed")
        };
        let largest = profile(&packed(&[]));
        assert!(matches!(largest, Err(Malformed::Message(_))));
        let larger = profile(&packed(&[0]));
        assert!(matches!(larger, Err(Malformed::TooLarge)));
    }
}

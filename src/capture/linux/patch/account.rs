//! What there is to know of a copy besides its bytes: kept beside it, so that nothing is planned twice.
//!
//! ```text
//! 32 bytes    SHA-256 of what follows
//! JSON        an Account
//! ```

use super::{ENTRY_COST, EXIT_COST, GUEST_COST};
use crate::binary::elf::Elf;
use crate::binary::trampoline::{Graft, Piece};
use crate::capture::observation::Probed;
use crate::capture::probes::Phase;
use crate::trace::{ArgumentKind, Nanos, PhaseLasts, ProbeId};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// Of a program that was looked at: which of its functions tell of their calls in its copy, and what cannot be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Account {
    /// The original's GNU build id, or empty.
    pub(super) build_id: Vec<u8>,
    /// It is a program for arm64.
    pub(super) is_for_arm64: bool,
    /// In the order of their numbers in records.
    pub(super) functions: Vec<Function>,
    /// What was asked for and is not seen.
    pub(super) unseen: Vec<Unseen>,
    /// All that was asked for is there.
    pub(super) has_all: bool,
    /// Addresses of functions that do not tell, of which the kernel's probes can.
    pub(super) rest: Vec<u64>,
    /// The file of the copy, as it was written; none where no function can tell.
    pub(super) copy: Option<Written>,
    /// What its own path is to it.
    pub(super) path: OfPath,
    /// What of the copy makes the original tell; none where that cannot be done.
    pub(super) graft: Option<Graft>,
}

/// What its own path is to a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum OfPath {
    /// It does not look for it.
    #[default]
    Unknown,
    /// It may look for it.
    Sought,
    /// Its loader looks for libraries from there.
    Bound,
}

impl OfPath {
    /// That of a program: the text by which programs on Linux find their own path is in it, or in where its libraries are.
    pub(super) fn of(data: &[u8], elf: &Elf<'_>) -> Self {
        let contains = |text: &[u8], word: &[u8]| memchr::memmem::find(text, word).is_some();
        // `$ORIGIN` or `${ORIGIN}`: ld.so(8).
        if elf.run_paths().any(|paths| contains(paths, b"ORIGIN")) {
            Self::Bound
        } else if contains(data, b"/proc/self/exe") {
            Self::Sought
        } else {
            Self::Unknown
        }
    }

    fn value(self) -> Value {
        json!(match self {
            Self::Unknown => "Unknown",
            Self::Sought => "Sought",
            Self::Bound => "Bound",
        })
    }
}

fn graft_value(graft: &Graft) -> Value {
    let piece = |piece: &Piece| {
        let Piece {
            address,
            offset,
            length,
        } = piece;
        json!({"address": address, "offset": offset, "length": length})
    };
    json!({
        "code": piece(&graft.code),
        "beside": graft.beside.each_ref().map(piece),
        "entries": graft.entries,
        "has_loader": graft.has_loader,
    })
}

/// A file that nobody has put another one in the place of, or written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Written {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Written {
    pub(super) fn of(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            bytes: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }

    fn value(self) -> Value {
        json!({"inode": self.inode, "bytes": self.bytes, "modified": self.modified})
    }
}

/// A function that tells of its calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) file: String,
    /// Its first address.
    pub(super) address: u64,
    /// Where in the file its entry is seen.
    pub(super) entry: u64,
    /// At how many places it is left.
    pub(super) exits: u32,
    /// The set that it comes from.
    pub(super) set: Option<String>,
    pub(super) phase: Option<Mark>,
    pub(super) argument: Argument,
}

impl Function {
    fn value(&self) -> Value {
        json!({
            "name": self.name,
            "file": self.file,
            "address": self.address,
            "entry": self.entry,
            "exits": self.exits,
            "set": self.set,
            "phase": self.phase.as_ref().map(Mark::value),
            "argument": self.argument.value(),
        })
    }
}

/// As [`Phase`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Mark {
    track: String,
    name: String,
    lasts_until_next: bool,
    beside: bool,
}

impl Mark {
    fn value(&self) -> Value {
        json!({
            "track": self.track,
            "name": self.name,
            "lasts_until_next": self.lasts_until_next,
            "beside": self.beside,
        })
    }
}

/// As [`ArgumentKind`], of what is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Argument {
    #[default]
    None,
    Integer,
    Signed(u8),
    Unsigned(u8),
}

impl Argument {
    fn value(self) -> Value {
        match self {
            Self::None => json!("None"),
            Self::Integer => json!("Integer"),
            Self::Signed(bytes) => json!({"Signed": bytes}),
            Self::Unsigned(bytes) => json!({"Unsigned": bytes}),
        }
    }
}

/// What is not seen of how many functions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Unseen {
    pub(super) what: What,
    pub(super) functions: usize,
    /// The kernel's probes see it, where they are used.
    pub(super) is_rest: bool,
    /// Of one of them.
    pub(super) name: String,
    pub(super) why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum What {
    Calls,
    Arguments,
}

impl Unseen {
    fn value(&self) -> Value {
        let what = match self.what {
            What::Calls => "Calls",
            What::Arguments => "Arguments",
        };
        json!({
            "what": what,
            "functions": self.functions,
            "is_rest": self.is_rest,
            "name": self.name,
            "why": self.why,
        })
    }

    /// What it is in the program at a path.
    pub(super) fn what(&self, path: &[u8]) -> String {
        let path = String::from_utf8_lossy(path);
        let what = match self.what {
            What::Calls => "calls",
            What::Arguments => "first arguments",
        };
        match self.functions {
            1 => format!("{what} of {} in {path}", self.name),
            count => format!("{what} of {count} functions in {path} ({}, ...)", self.name),
        }
    }
}

impl Account {
    /// What telling of an entry and of an exit costs.
    pub(super) fn costs(&self) -> [Nanos; 2] {
        // On an arm64 machine nobody translates it.
        if self.is_for_arm64 && cfg!(not(target_arch = "aarch64")) {
            [GUEST_COST; 2]
        } else {
            [ENTRY_COST, EXIT_COST]
        }
    }

    /// As it lies in a file.
    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let functions = self.functions.iter().map(Function::value);
        let unseen = self.unseen.iter().map(Unseen::value);
        let whole = json!({
            "build_id": self.build_id,
            "is_for_arm64": self.is_for_arm64,
            "functions": functions.collect::<Value>(),
            "unseen": unseen.collect::<Value>(),
            "has_all": self.has_all,
            "rest": self.rest,
            "copy": self.copy.map(Written::value),
            "path": self.path.value(),
            "graft": self.graft.as_ref().map(graft_value),
        });
        let text = serde_json::to_vec(&whole)?;
        let digest = Sha256::digest(&text);
        Ok([digest.as_slice(), &text].concat())
    }

    /// That of a file; none where it is not what was written there.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (digest, text) = bytes.split_first_chunk::<32>()?;
        if Sha256::digest(text).as_slice() != digest {
            return None;
        }
        serde_json::from_slice(text).ok()
    }

    /// What the trace is to know of its functions, which have the numbers from `first` on.
    pub(super) fn probed<'a>(
        &'a self,
        path: &'a [u8],
        first: u32,
    ) -> impl Iterator<Item = Probed> + 'a {
        let [entry_cost, exit_cost] = self.costs();
        let jump = if self.is_for_arm64 { "b" } else { "jmp" };
        let functions = (first..).zip(&self.functions);
        functions.map(move |(number, function)| Probed {
            probe: ProbeId(number),
            path: path.to_vec(),
            build_id: self.build_id.clone(),
            function: function.name.clone().into_bytes(),
            file: function.file.clone().into_bytes(),
            entry: function.entry,
            instruction: jump.to_owned(),
            entry_cost,
            exits: function.exits,
            exit_cost,
            set: function.set.clone().unwrap_or_default(),
            phase: function.phase.clone().map(Phase::from),
            argument: function.argument.into(),
        })
    }
}

/// A reason without the address in it, which is another one for each function.
pub(super) fn without_address(why: &str) -> &str {
    why.split(" at 0x").next().unwrap_or(why)
}

impl From<&Phase> for Mark {
    fn from(phase: &Phase) -> Self {
        Self {
            track: phase.track.clone(),
            name: phase.name.clone(),
            lasts_until_next: phase.lasts == PhaseLasts::UntilNext,
            beside: phase.beside,
        }
    }
}

impl From<Mark> for Phase {
    fn from(mark: Mark) -> Self {
        Self {
            track: mark.track,
            name: mark.name,
            lasts: match mark.lasts_until_next {
                true => PhaseLasts::UntilNext,
                false => PhaseLasts::Call,
            },
            beside: mark.beside,
        }
    }
}

impl From<ArgumentKind> for Argument {
    fn from(kind: ArgumentKind) -> Self {
        match kind {
            // What a pointer leads to is not read.
            ArgumentKind::None | ArgumentKind::Text => Self::None,
            ArgumentKind::Integer => Self::Integer,
            ArgumentKind::Signed(bytes) => Self::Signed(bytes),
            ArgumentKind::Unsigned(bytes) => Self::Unsigned(bytes),
        }
    }
}

impl From<Argument> for ArgumentKind {
    fn from(argument: Argument) -> Self {
        match argument {
            Argument::None => Self::None,
            Argument::Integer => Self::Integer,
            Argument::Signed(bytes) => Self::Signed(bytes),
            Argument::Unsigned(bytes) => Self::Unsigned(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let phase = Phase {
            track: "compile".to_owned(),
            name: "typecheck".to_owned(),
            lasts: PhaseLasts::UntilNext,
            beside: true,
        };
        let of = |argument: ArgumentKind| Function {
            argument: argument.into(),
            ..Function::default()
        };
        Account {
            build_id: vec![1, 255],
            is_for_arm64: true,
            functions: vec![
                Function {
                    name: "main.(*T).f[\"\u{e9}\"]".to_owned(),
                    address: u64::MAX,
                    exits: 3,
                    set: Some("go-build".to_owned()),
                    phase: Some(Mark::from(&phase)),
                    argument: ArgumentKind::Signed(4).into(),
                    ..Function::default()
                },
                of(ArgumentKind::Unsigned(1)),
                of(ArgumentKind::Integer),
                of(ArgumentKind::Text),
            ],
            unseen: vec![
                Unseen {
                    what: What::Calls,
                    functions: 2,
                    is_rest: true,
                    name: "main.g".to_owned(),
                    why: "it is written in assembly".to_owned(),
                },
                Unseen {
                    what: What::Arguments,
                    functions: 1,
                    is_rest: false,
                    name: "main.h".to_owned(),
                    why: "strings".to_owned(),
                },
            ],
            has_all: true,
            rest: vec![0x40_1000],
            copy: Some(Written {
                inode: 1,
                bytes: 2,
                modified: (3, 4),
            }),
            path: OfPath::Bound,
            graft: Some(Graft {
                code: piece(1),
                beside: [piece(2), piece(3)],
                entries: [4, u64::MAX],
                has_loader: true,
            }),
        }
    }

    fn piece(address: u64) -> Piece {
        Piece {
            address,
            offset: address + 1,
            length: u64::MAX,
        }
    }

    #[test]
    fn it_comes_out_as_it_went_in_and_whatever_is_changed_in_it_is_noticed() {
        let written = account().encode().unwrap();
        let read = Account::decode(&written).unwrap();
        assert_eq!(read, account());
        let probed: Vec<Probed> = read.probed(b"/a/compile", 7).collect();
        assert_eq!(probed[0].probe, ProbeId(7));
        assert_eq!(probed[0].argument, ArgumentKind::Signed(4));
        assert_eq!(probed[0].phase.as_ref().unwrap().name, "typecheck");
        assert!(probed[0].phase.as_ref().unwrap().beside);
        let unseen = read.unseen[0].what(b"/a/compile");
        assert_eq!(unseen, "calls of 2 functions in /a/compile (main.g, ...)");
        for at in 0..written.len() {
            let mut changed = written.clone();
            changed[at] ^= 1;
            assert_eq!(Account::decode(&changed), None, "{at}");
        }
        assert_eq!(Account::decode(&written[..written.len() - 1]), None);
        assert_eq!(Account::decode(&[]), None);
    }
}

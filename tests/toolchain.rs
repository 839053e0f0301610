//! Go toolchains: which are found, copies that are signed anew, pairs that can be compared. From
//! real programs, judged by `signature.py`, by the go command and by `sha256sum`.

#[cfg(test)]
#[path = "toolchain/entitled.rs"]
mod entitled;
#[cfg(test)]
#[path = "expected/mod.rs"]
mod expected;
#[cfg(test)]
#[path = "toolchain/folders.rs"]
mod folders;
#[cfg(test)]
#[path = "toolchain/golden.rs"]
mod golden;
#[cfg(test)]
#[path = "toolchain/instrument.rs"]
mod instrument;
#[cfg(test)]
#[path = "toolchain/list.rs"]
mod list;
#[cfg(test)]
#[path = "toolchain/pair.rs"]
mod pair;
#[cfg(test)]
#[path = "toolchain/prepare.rs"]
mod prepare;
#[cfg(test)]
#[path = "toolchain/tracing.rs"]
mod tracing;

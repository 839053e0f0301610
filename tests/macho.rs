//! What is read from Mach-O files and judged of them: real ones of Go's linker and official
//! toolchains, against what LLVM and Go's own tools read from them; and damaged ones, each of
//! which breaks one rule.

#[cfg(test)]
#[path = "macho/addition.rs"]
mod addition;
#[cfg(test)]
#[path = "macho/cgo.rs"]
mod cgo;
#[cfg(test)]
#[path = "macho/chained.rs"]
mod chained;
#[cfg(test)]
#[path = "macho/command.rs"]
mod command;
#[cfg(test)]
#[path = "macho/damage.rs"]
mod damage;
#[cfg(test)]
#[path = "expected/mod.rs"]
mod expected;
#[cfg(test)]
#[path = "macho/facts.rs"]
mod facts;
#[cfg(test)]
#[path = "macho/files.rs"]
mod files;
#[cfg(test)]
#[path = "macho/golden.rs"]
mod golden;
#[cfg(test)]
#[path = "macho/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "macho/injection.rs"]
mod injection;
#[cfg(test)]
#[path = "macho/instrumented.rs"]
mod instrumented;
#[cfg(test)]
#[path = "macho/linked.rs"]
mod linked;
#[cfg(test)]
#[path = "macho/loaded.rs"]
mod loaded;
#[cfg(test)]
#[path = "macho/official.rs"]
mod official;
#[cfg(test)]
#[path = "macho/placement.rs"]
mod placement;
#[cfg(test)]
#[path = "macho/preload.rs"]
mod preload;
#[cfg(test)]
#[path = "macho/ring.rs"]
mod ring;
#[cfg(test)]
#[path = "macho/signer.rs"]
mod signer;
#[cfg(test)]
#[path = "macho/symbols.rs"]
mod symbols;
#[cfg(test)]
#[path = "macho/tasks.rs"]
mod tasks;
#[cfg(test)]
#[path = "macho/unwinding.rs"]
mod unwinding;

//! What is read from ELF files and Go executables, and the names of frames, against what Go's own tools,
//! binutils and LLVM read from them.

#[cfg(test)]
#[path = "symbols/damage.rs"]
mod damage;
#[cfg(test)]
#[path = "symbols/dynamic.rs"]
mod dynamic;
#[cfg(test)]
#[path = "symbols/functions.rs"]
mod functions;
#[cfg(test)]
#[path = "symbols/headers.rs"]
mod headers;
#[cfg(test)]
#[path = "symbols/imports.rs"]
mod imports;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "symbols/machine.rs"]
mod machine;
#[cfg(test)]
#[path = "symbols/macho_naming.rs"]
mod macho_naming;
#[cfg(test)]
#[path = "symbols/naming.rs"]
mod naming;
#[cfg(test)]
#[path = "symbols/old_tables.rs"]
mod old_tables;
#[cfg(test)]
#[path = "symbols/programs.rs"]
mod programs;
#[cfg(test)]
#[path = "symbols/recording.rs"]
mod recording;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "symbols/records.rs"]
mod records;
#[cfg(test)]
#[path = "symbols/runtime_layout.rs"]
mod runtime_layout;
#[cfg(test)]
#[path = "symbols/sets.rs"]
mod sets;
#[cfg(test)]
#[path = "symbols/sites.rs"]
mod sites;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "symbols/torture.rs"]
mod torture;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "symbols/trampolines.rs"]
mod trampolines;

//! JSON lines: every record of a trace as one object on a line of its own.
//!
//! `docs/json-schema.md` lists the records and their keys. Lines come in the order of the
//! tables; samples, calls, call trees and bindings come last, in the order of recording, and a `stack` line stands
//! before the first line that names its stack. The last line says that nothing is missing after it.

mod calls;
mod linking;
mod records;

use super::text::Texts;
use crate::trace::{ProfileSample, Sample, StackId, Trace};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Name and version of the format, in its first line.
pub const SCHEMA: &str = "gotrace.dump/1";

/// Writes all records of a trace.
///
/// Blocks of samples, calls, call trees and bindings that cannot be read are left out and counted, in the last line
/// and in what is returned.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(trace: &Trace, out: &mut impl Write) -> io::Result<u64> {
    let mut lines = Lines {
        trace,
        out,
        known_stacks: vec![false; trace.stacks.len()],
    };
    lines.tables()?;
    for sample in &trace.profiles {
        lines.profile(sample)?;
    }
    let mut samples = 0;
    let mut unreadable_blocks = 0;
    for block in trace.samples() {
        let Ok(block) = block else {
            unreadable_blocks += 1;
            continue;
        };
        for sample in block.iter() {
            lines.sample(&sample)?;
            samples += 1;
        }
    }
    let mut calls = 0;
    for block in trace.calls() {
        let Ok(block) = block else {
            unreadable_blocks += 1;
            continue;
        };
        for call in block.iter() {
            lines.put("call", |texts| calls::Call::of(trace, &call, texts))?;
            calls += 1;
        }
    }
    let mut call_trees = 0;
    for block in trace.call_trees() {
        let Ok(block) = block else {
            unreadable_blocks += 1;
            continue;
        };
        for row in block.iter() {
            lines.put("call_tree", |texts| calls::TreeRow::of(trace, &row, texts))?;
            call_trees += 1;
        }
    }
    let mut bindings = 0;
    for block in trace.bindings() {
        let Ok(block) = block else {
            unreadable_blocks += 1;
            continue;
        };
        for bind in block.iter() {
            lines.put("binding", |texts| linking::Binding::of(&bind, texts))?;
            bindings += 1;
        }
    }
    lines.put("end", |_| records::End {
        samples,
        calls,
        call_trees,
        bindings,
        unreadable_blocks,
    })?;
    Ok(unreadable_blocks)
}

/// One line: what kind of record it is, its keys, and the bytes of what was no text.
#[derive(Serialize)]
struct Line<T> {
    record: &'static str,
    #[serde(flatten)]
    body: T,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bytes_hex: BTreeMap<String, String>,
}

struct Lines<'t, W> {
    trace: &'t Trace,
    out: &'t mut W,
    /// Which stacks have had their line, by id.
    known_stacks: Vec<bool>,
}

impl<'t, W: Write> Lines<'t, W> {
    fn put<T: Serialize>(
        &mut self,
        record: &'static str,
        body: impl FnOnce(&mut Texts<'t>) -> T,
    ) -> io::Result<()> {
        let mut texts = Texts::of(&self.trace.strings);
        let body = body(&mut texts);
        let line = Line {
            record,
            body,
            bytes_hex: texts.not_text(),
        };
        serde_json::to_writer(&mut *self.out, &line)?;
        self.out.write_all(b"\n")
    }

    /// All tables but profiles, samples, calls, call trees and bindings.
    fn tables(&mut self) -> io::Result<()> {
        let trace = self.trace;
        self.put("trace", |_| records::Head::of(trace))?;
        self.put("host", |texts| records::Host::of(&trace.host, texts))?;
        for toolchain in &trace.toolchains {
            self.put("toolchain", |texts| {
                records::Toolchain::of(toolchain, texts)
            })?;
        }
        for setting in &trace.settings {
            self.put("setting", |texts| records::Setting::of(setting, texts))?;
        }
        for process in &trace.processes {
            self.put("process", |texts| records::Process::of(process, texts))?;
        }
        for thread in &trace.threads {
            self.put("thread", |texts| records::Thread::of(thread, texts))?;
        }
        for (id, image) in trace.images.iter().enumerate() {
            self.put("image", |texts| records::Image::of(id, image, texts))?;
        }
        for mapping in &trace.mappings {
            self.put("mapping", |_| records::Mapping::of(mapping))?;
        }
        for unmapping in &trace.unmappings {
            self.put("unmapping", |_| records::Unmapping::of(unmapping))?;
        }
        for action in &trace.actions {
            self.put("action", |texts| records::Action::of(action, texts))?;
        }
        for imports in &trace.imports {
            self.put("imports", |texts| records::Imports::of(imports, texts))?;
        }
        for probe in &trace.probes {
            self.put("probe", |texts| calls::Probe::of(probe, texts))?;
        }
        for dropped in &trace.dropped_probes {
            self.put("probe_dropped", |texts| calls::Dropped::of(dropped, texts))?;
        }
        self.linking()?;
        for counter in &trace.counters {
            self.put("counter", |texts| records::Counter::of(counter, texts))?;
        }
        for finding in &trace.findings {
            self.put("finding", |texts| records::Finding::of(finding, texts))?;
        }
        for loss in &trace.losses {
            self.put("loss", |texts| records::Loss::of(loss, texts))?;
        }
        for spot in &trace.blind_spots {
            self.put("blind_spot", |texts| records::BlindSpot::of(spot, texts))?;
        }
        if let Some(ending) = &trace.ending {
            self.put("ending", |_| records::Ending::of(ending))?;
        }
        Ok(())
    }

    /// What loaders did, but for bindings, and what files asked of them.
    fn linking(&mut self) -> io::Result<()> {
        let trace = self.trace;
        for interpreter in &trace.interpreters {
            self.put("interpreter", |texts| {
                linking::Interpreter::of(interpreter, texts)
            })?;
        }
        for load in &trace.loads {
            self.put("load", |_| linking::Load::of(load))?;
        }
        for unload in &trace.unloads {
            self.put("unload", |_| linking::Unload::of(unload))?;
        }
        for linking in &trace.linkings {
            self.put("linking", |_| linking::Linking::of(linking))?;
        }
        for search in &trace.searches {
            self.put("search", |texts| linking::Search::of(search, texts))?;
        }
        for needs in &trace.needs {
            self.put("needs", |texts| linking::ImageNeeds::of(needs, texts))?;
        }
        Ok(())
    }

    fn stack(&mut self, stack: StackId) -> io::Result<()> {
        if stack == StackId::EMPTY {
            return Ok(());
        }
        let trace = self.trace;
        match self.known_stacks.get_mut(stack.index()) {
            Some(known) if !*known => *known = true,
            _ => return Ok(()),
        }
        self.put("stack", |texts| records::Stack::of(trace, stack, texts))
    }

    fn profile(&mut self, profile: &ProfileSample) -> io::Result<()> {
        self.stack(profile.stack)?;
        let trace = self.trace;
        self.put("profile", |texts| {
            records::Profile::of(trace, profile, texts)
        })
    }

    fn sample(&mut self, sample: &Sample) -> io::Result<()> {
        self.stack(sample.stack)?;
        let trace = self.trace;
        self.put("sample", |texts| records::Sample::of(trace, sample, texts))
    }
}

//! What a build is made of: importcfg files and action graphs, tied to the processes they
//! belong to.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustc_hash::FxHashMap;

use super::sink::Sink;
use crate::capture::decode::{action_graph, arguments, importcfg};
use crate::environment::go_flags;
use crate::trace::{Action, BlindSpot, Imports, Nanos, ProcessId, Record};

/// A go command, and when it ran.
#[derive(Clone, Debug)]
struct GoCommand {
    row: ProcessId,
    /// Where it works: its `-C`, or where it was started.
    folder: PathBuf,
    start: Nanos,
    end: Option<Nanos>,
    /// A graph of its own was found.
    has_graph: bool,
}

/// A file that a go command built and left: what `-o` or `go install` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::capture) struct Built {
    /// Its name, as the action graph has it.
    pub(in crate::capture) name: String,
    /// Where it lies.
    pub(in crate::capture) path: PathBuf,
    /// It stood there up to date, so that no linker ran.
    pub(in crate::capture) up_to_date: bool,
}

/// Go commands of the recording and what they left.
#[derive(Debug, Default)]
pub(super) struct Builds {
    commands: Vec<GoCommand>,
    /// The go command that each `$WORK` belongs to, told by the tools that it started there.
    work: FxHashMap<Vec<u8>, ProcessId>,
    graphs: u32,
    /// Graphs without times, by `$WORK`, until the one with times comes.
    first: FxHashMap<Vec<u8>, (Nanos, Vec<u8>)>,
    built: Vec<Built>,
    unread: u64,
    unread_example: Option<String>,
}

impl Builds {
    /// Sees a program begin.
    pub(super) fn began(
        &mut self,
        row: ProcessId,
        parent: Option<ProcessId>,
        argv: &[&[u8]],
        cwd: &[u8],
        time: Nanos,
    ) {
        let name = argv
            .first()
            .map_or(&b""[..], |first| arguments::base_name(first));
        if name == b"go" {
            self.commands.push(GoCommand {
                row,
                folder: folder_of(argv, cwd),
                start: time,
                end: None,
                has_graph: false,
            });
        }
        let output = argv.iter().find_map(|word| arguments::work_directory(word));
        if let (Some(work), Some(parent)) = (output, parent) {
            let is_go = self.commands.iter().rev().any(|go| go.row == parent);
            if is_go && !self.work.contains_key(work) {
                self.work.insert(work.to_vec(), parent);
            }
        }
    }

    /// Sees a program end.
    pub(super) fn ended(&mut self, row: ProcessId, time: Nanos) {
        if let Some(go) = self.commands.iter_mut().rev().find(|go| go.row == row) {
            go.end = Some(time);
        }
    }

    /// Records the direct dependencies that an importcfg names.
    pub(super) fn import_cfg(&mut self, sink: &mut Sink, process: ProcessId, contents: &[u8]) {
        let packages = importcfg::packages(contents);
        let packages = packages.map(|package| sink.string(package)).collect();
        sink.record(Record::Imports(Imports { process, packages }));
    }

    /// An importcfg was gone before it could be read.
    pub(super) fn import_cfg_missed(&mut self, why: &str) {
        self.unread += 1;
        self.unread_example.get_or_insert_with(|| why.to_owned());
    }

    /// Records an action graph. A go command writes it twice, the second time with the times of
    /// its actions; the first one is kept in case that never comes.
    pub(super) fn action_graph(&mut self, sink: &mut Sink, time: Nanos, contents: Vec<u8>) {
        let nodes = match action_graph::nodes(&contents) {
            Ok(nodes) => nodes,
            Err(error) => {
                blind(
                    sink,
                    time,
                    "the action graph of a go command",
                    &error.to_string(),
                );
                return;
            }
        };
        let mut works = nodes
            .iter()
            .filter_map(|node| arguments::work_directory(node.objdir.as_bytes()));
        let work = works.next().unwrap_or_default().to_vec();
        if action_graph::is_final(&nodes) {
            self.first.remove(&work);
            self.write(sink, time, nodes);
        } else if self.first.len() < MOST_FIRST && contents.len() < LARGEST_FIRST {
            self.first.insert(work, (time, contents));
        }
    }

    fn write(&mut self, sink: &mut Sink, time: Nanos, nodes: Vec<action_graph::Node>) {
        let go = self.writer_of(sink, &nodes, time);
        let graph = self.graphs;
        self.graphs += 1;
        self.note_built(go, &nodes);
        for node in nodes {
            let at = |moment: Option<u64>| moment.map(|nanos| sink.at_unix(nanos));
            let (ready, start, done) = (at(node.ready), at(node.start), at(node.done));
            let mut string = |text: &str| sink.string(text.as_bytes());
            let action = Action {
                graph,
                go,
                number: node.number,
                mode: string(&node.mode),
                package: string(&node.package),
                target: string(&node.target),
                objdir: string(&node.objdir),
                failed: node.failed,
                deps: node.deps,
                ready,
                start,
                done,
                need_build: node.need_build,
                action_id: string(&node.action_id),
                build_id: string(&node.build_id),
                commands: node
                    .commands
                    .iter()
                    .map(|command| sink.redacted(command.as_bytes()))
                    .collect(),
            };
            sink.record(Record::Action(action));
        }
    }

    /// Notes the files that a graph's last actions put into place: what is linked is moved there by
    /// an action of its own (`installAction` in `cmd/go/internal/work/action.go`).
    fn note_built(&mut self, go: Option<ProcessId>, nodes: &[action_graph::Node]) {
        let go = go.and_then(|row| self.commands.iter().find(|go| go.row == row));
        for node in nodes {
            let left = node.mode.ends_with("-install") && !node.target.is_empty() && !node.failed;
            // Without its go command, it is not known what a relative path means.
            let path = match (PathBuf::from(&node.target), go) {
                (path, _) if path.is_absolute() => path,
                (path, Some(go)) => go.folder.join(path),
                (_, None) => continue,
            };
            let name = node.target.clone();
            if !left {
                continue;
            }
            let up_to_date = node.deps.iter().any(|dep| {
                let dep = nodes.iter().find(|other| other.number == *dep);
                dep.is_some_and(was_up_to_date)
            });
            let is_room = self.built.len() < MOST_BUILT;
            match self.built.iter_mut().find(|built| built.path == path) {
                // What one go command has linked, the next one finds up to date.
                Some(built) => built.up_to_date &= up_to_date,
                None if is_room => self.built.push(Built {
                    name,
                    path,
                    up_to_date,
                }),
                None => {}
            }
        }
    }

    /// Files that go commands built and left.
    pub(super) fn into_built(self) -> Vec<Built> {
        self.built
    }

    /// The go command that wrote a graph: that whose tools worked in the same `$WORK`, or where
    /// it ran no tool, the only one without a graph that ran while the actions were done.
    fn writer_of(
        &mut self,
        sink: &Sink,
        nodes: &[action_graph::Node],
        time: Nanos,
    ) -> Option<ProcessId> {
        let mut works = nodes
            .iter()
            .filter_map(|node| arguments::work_directory(node.objdir.as_bytes()));
        let known = works.find_map(|work| self.work.get(work).copied());
        let first = nodes.iter().filter_map(|node| node.ready).min();
        let first = first.map_or(time, |nanos| sink.at_unix(nanos));
        let row = known.or_else(|| {
            let ran = |go: &&GoCommand| {
                !go.has_graph && go.start <= first && go.end.is_none_or(|end| end >= first)
            };
            let mut candidates = self.commands.iter().filter(ran);
            match (candidates.next(), candidates.next()) {
                (Some(only), None) => Some(only.row),
                _ => None,
            }
        })?;
        if let Some(go) = self.commands.iter_mut().find(|go| go.row == row) {
            go.has_graph = true;
        }
        Some(row)
    }

    /// Says at the end what was missed.
    pub(super) fn finish(&mut self, sink: &mut Sink) {
        for (time, contents) in std::mem::take(&mut self.first).into_values() {
            if let Ok(nodes) = action_graph::nodes(&contents) {
                self.write(sink, time, nodes);
            }
            let why = "its go command ended without writing it again, or another wrote over it";
            blind(sink, time, "the times of an action graph", why);
        }
        let lost = |go: &&GoCommand| !go.has_graph && self.work.values().any(|row| *row == go.row);
        for go in self.commands.iter().filter(lost) {
            let why = "it wrote none, or another go command wrote over it";
            blind(sink, go.start, "the action graph of a go command", why);
        }
        if self.unread > 0 {
            let example = self.unread_example.take().unwrap_or_default();
            let what = match self.unread {
                1 => "an importcfg file".to_owned(),
                several => format!("{several} importcfg files"),
            };
            blind(sink, Nanos::ZERO, &what, &example);
        }
    }
}

/// First graphs that are kept, and how large each may be, so that memory stays bounded.
const MOST_FIRST: usize = 64;
const LARGEST_FIRST: usize = 4 << 20;

/// Files of which it is kept that they were built.
const MOST_BUILT: usize = 256;

/// Whether an action was to link, and had nothing to do: it is done, and ran nothing.
fn was_up_to_date(node: &action_graph::Node) -> bool {
    let done = node.done.is_some() && !node.failed && !node.build_id.is_empty();
    node.mode == "link" && done && node.commands.is_empty()
}

fn folder_of(argv: &[&[u8]], cwd: &[u8]) -> PathBuf {
    let words = argv.get(1..).unwrap_or_default();
    let changed = go_flags::value_on_line(words, "C").unwrap_or_default();
    PathBuf::from(OsStr::from_bytes(cwd)).join(OsStr::from_bytes(changed))
}

fn blind(sink: &mut Sink, time: Nanos, what: &str, why: &str) {
    let (what, why) = (sink.string(what.as_bytes()), sink.string(why.as_bytes()));
    sink.record(Record::BlindSpot(BlindSpot { time, what, why }));
}

//! What the events of one process mean: loads, binds, searches and times of relocation.

use std::collections::BTreeMap;

use super::event::{Event, How, What};
use crate::capture::Monotonic;
use crate::capture::linking::{self, Bound, ImageNumber, Loaded, Searched};
use crate::trace::{BindHow, BindKind, ImageKind, LinkCause, SearchOutcome, Tid};

/// `LA_ACT_CONSISTENT` and `LA_ACT_ADD`.
const CONSISTENT: u32 = 0;
const ADD: u32 = 1;
/// `LA_SER_ORIG`: the name as it was asked for.
const AS_ASKED: u32 = 1;
/// Names of the kernel's own image, which no file has.
const KERNEL: [&[u8]; 2] = [b"linux-vdso.so.1", b"linux-gate.so.1"];
/// What a program binds because it is audited.
const AUDITORS: &[u8] = b"_dl_audit_preinit";
/// The program, and ld.so, which are opened first.
const PROGRAM: u32 = 1;
const LOADER: u32 = 2;
/// Different searches that are counted before they are told of, and paths that are tried before
/// those of which nothing is known count as missed.
const MOST_SEARCHES: usize = 1 << 10;

/// One process, as far as it has been told.
#[derive(Debug)]
pub struct Story {
    executable: Vec<u8>,
    folder: Vec<u8>,
    cause: LinkCause,
    /// A time of relocation that has begun, and when it ended, as far as is known.
    relocation: Option<Relocation>,
    /// Paths that were tried and of which nothing is known yet.
    tried: Vec<Tried>,
    searches: BTreeMap<Key, (Monotonic, Tid, u64)>,
    /// A fork: what was open before belongs to its parent.
    fork: bool,
}

#[derive(Debug)]
struct Relocation {
    tid: Tid,
    from: Monotonic,
    to: Option<Monotonic>,
    /// CPU time from then until then, where that was measured.
    cpu_ns: Option<u64>,
    /// First image that was opened in it.
    first: Option<u32>,
}

#[derive(Debug)]
struct Tried {
    time: Monotonic,
    tid: Tid,
    key: Key,
}

/// Path, rule, who searched, and what came of it.
type Key = (Vec<u8>, u32, u32, SearchOutcome);

impl Story {
    /// A process whose executable is known or not: a fork runs that of its parent.
    #[must_use]
    pub fn new(fork: bool) -> Self {
        Self {
            executable: Vec::new(),
            folder: Vec::new(),
            cause: LinkCause::Start,
            relocation: None,
            tried: Vec::new(),
            searches: BTreeMap::new(),
            fork,
        }
    }

    /// Takes an event, and adds what it means to `out`.
    pub fn hear(&mut self, event: Event, out: &mut Vec<linking::Event>) {
        let Event { time, tid, what } = event;
        self.relocated_until(time, tid, &what, out);
        let what = match what {
            What::Program(path) => {
                self.executable = path;
                return;
            }
            What::Folder(path) => {
                self.folder = path;
                return;
            }
            What::Arguments { .. } | What::Package(_) | What::Leaves | What::Ending => return,
            What::Started => {
                self.cause = LinkCause::Dlopen;
                return;
            }
            What::Opened {
                inherited: true, ..
            } => return,
            What::Opened {
                image,
                path,
                slide,
                namespace,
                ..
            } => {
                self.found(tid, &path, out);
                if image == LOADER && !self.fork {
                    out.push(linking::Event {
                        time,
                        tid,
                        what: linking::What::Asks {
                            interpreter: path.clone(),
                            unwatched: String::new(),
                        },
                    });
                }
                let path = if image == PROGRAM {
                    self.program(path)
                } else {
                    path
                };
                linking::What::Loaded(Box::new(loaded(image, path, slide, namespace, self.cause)))
            }
            // The C library calls it for the sake of whoever audits, and first then.
            What::Bound {
                how: How::Lazy,
                symbol,
                ..
            } if *symbol == *AUDITORS => return,
            What::Closed(image) => linking::What::Unloaded(ImageNumber(image)),
            What::Bound {
                importer,
                provider,
                symbol,
                address,
                how,
            } => linking::What::Bound(Bound {
                importer: ImageNumber(self.who_asks(importer, how)),
                provider: Some(ImageNumber(provider)),
                symbol,
                address,
                slot: None,
                how: match how {
                    How::Eager => BindHow::Eager,
                    How::Lazy => BindHow::Lazy,
                    How::AskedFor => BindHow::Dlsym,
                },
                kind: BindKind::Call,
            }),
            What::Searched { image, path, rule } => {
                self.searched(time, tid, (path, rule, image), out);
                return;
            }
            What::Activity { action, cpu_ns, .. } => {
                self.activity(time, tid, action, cpu_ns);
                return;
            }
        };
        out.push(linking::Event { time, tid, what });
    }

    /// The path of the program, by the name that ld.so has for it: none, or where ld.so was started to
    /// start it, that which it was given.
    fn program(&self, name: Vec<u8>) -> Vec<u8> {
        match &name[..] {
            [] => self.executable.clone(),
            [first, rest @ ..] if *first != b'/' && rest.contains(&b'/') => {
                [&self.folder, &b"/"[..], &name].concat()
            }
            _ => name,
        }
    }

    /// Nothing more comes.
    pub fn end(&mut self, out: &mut Vec<linking::Event>) {
        self.missed(None, out);
        self.tell_relocation(out);
        self.tell_searches(out);
    }

    /// Before the program runs, ld.so itself looks up the functions of `malloc` in its name.
    fn who_asks(&self, importer: u32, how: How) -> u32 {
        if importer == PROGRAM && how == How::AskedFor && self.cause == LinkCause::Start {
            LOADER
        } else {
            importer
        }
    }

    fn activity(&mut self, time: Monotonic, tid: Tid, action: u32, cpu_ns: u64) {
        // Of `dlopen` it is that of mapping alone, until glibc 2.41, and nobody tells which one this is.
        let cpu_ns = (self.cause == LinkCause::Start).then_some(cpu_ns);
        match (action, &mut self.relocation) {
            (ADD, None) => {
                self.relocation = Some(Relocation {
                    tid,
                    from: time,
                    to: None,
                    cpu_ns: None,
                    first: None,
                });
            }
            (CONSISTENT, Some(relocation)) if relocation.tid == tid => {
                relocation.to = Some(relocation.to.map_or(time, |to| to.max(time)));
                relocation.cpu_ns = cpu_ns;
            }
            _ => {}
        }
    }

    /// Follows the time of relocation that is under way.
    ///
    /// At the start, images are all opened before the first is relocated, and relocated before the
    /// link map is consistent. For `dlopen`, ld.so says "consistent" when images are mapped, and
    /// relocates them then, until glibc 2.41: what they bind at once shows until when.
    fn relocated_until(
        &mut self,
        time: Monotonic,
        tid: Tid,
        what: &What,
        out: &mut Vec<linking::Event>,
    ) {
        let start = self.cause == LinkCause::Start;
        let Some(relocation) = &mut self.relocation else {
            return;
        };
        if relocation.tid != tid {
            return;
        }
        match (what, relocation.to) {
            (What::Opened { image, .. }, None) => {
                relocation.first.get_or_insert(*image);
                if start {
                    relocation.from = time;
                }
            }
            (
                What::Bound {
                    importer,
                    how: How::Eager,
                    ..
                },
                Some(_),
            ) if relocation.first.is_some_and(|first| *importer >= first) => {
                relocation.to = Some(time);
            }
            (_, Some(_)) => self.tell_relocation(out),
            (_, None) => {}
        }
    }

    fn tell_relocation(&mut self, out: &mut Vec<linking::Event>) {
        let Some(relocation) = self.relocation.take() else {
            return;
        };
        let Relocation { tid, from, .. } = relocation;
        if let Some(to) = relocation.to {
            out.push(linking::Event {
                time: from,
                tid,
                what: linking::What::Relocated {
                    to,
                    cause: self.cause,
                    cpu_ns: relocation.cpu_ns,
                },
            });
        }
    }

    fn searched(
        &mut self,
        time: Monotonic,
        tid: Tid,
        (path, rule, image): (Vec<u8>, u32, u32),
        out: &mut Vec<linking::Event>,
    ) {
        // A new name: whatever was tried for the last one, and not opened, was not there.
        if rule == AS_ASKED {
            self.missed(Some(tid), out);
        } else if self.tried.len() >= MOST_SEARCHES {
            self.missed(None, out);
        }
        // A name without a folder is not a place.
        if path.contains(&b'/') {
            let key = (path, rule, image, SearchOutcome::Missed);
            self.tried.push(Tried { time, tid, key });
        }
    }

    /// An image was opened: it was found at its own path, and not at those tried before it.
    fn found(&mut self, tid: Tid, path: &[u8], out: &mut Vec<linking::Event>) {
        for tried in &mut self.tried {
            if tried.tid == tid && tried.key.0 == path {
                tried.key.3 = SearchOutcome::Found;
            }
        }
        self.missed(Some(tid), out);
    }

    /// Counts what this thread has tried, or all.
    fn missed(&mut self, tid: Option<Tid>, out: &mut Vec<linking::Event>) {
        for tried in std::mem::take(&mut self.tried) {
            if tid.is_some_and(|tid| tid != tried.tid) {
                self.tried.push(tried);
                continue;
            }
            let counted = self.searches.entry(tried.key);
            let (_, _, count) = counted.or_insert((tried.time, tried.tid, 0));
            *count = count.saturating_add(1);
        }
        if self.searches.len() > MOST_SEARCHES {
            self.tell_searches(out);
        }
    }

    fn tell_searches(&mut self, out: &mut Vec<linking::Event>) {
        for ((path, rule, image, outcome), (time, tid, count)) in std::mem::take(&mut self.searches)
        {
            out.push(linking::Event {
                time,
                tid,
                what: linking::What::Searched(Box::new(Searched {
                    path,
                    rule: rule_name(rule),
                    importer: (image != 0).then_some(ImageNumber(image)),
                    outcome,
                    count,
                })),
            });
        }
    }
}

fn loaded(image: u32, path: Vec<u8>, slide: u64, namespace: u32, cause: LinkCause) -> Loaded {
    let kernel = KERNEL.contains(&path.as_slice());
    Loaded {
        number: ImageNumber(image),
        path: if kernel { b"[vdso]".to_vec() } else { path },
        kind: if kernel {
            ImageKind::Kernel
        } else {
            ImageKind::File
        },
        cause,
        namespace,
        slide: Some(slide),
        ..Loaded::default()
    }
}

/// What sends ld.so to a place: `LA_SER_...`.
const fn rule_name(rule: u32) -> &'static str {
    match rule {
        AS_ASKED => "path",
        2 => "LD_LIBRARY_PATH",
        4 => "runpath",
        8 => "ld.so.cache",
        0x40 => "default folders",
        _ => "",
    }
}

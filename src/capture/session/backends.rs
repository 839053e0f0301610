//! Which backends watch a command, and their opening.

use super::{Error, Session, UNDER_WAY};
use crate::capture::dtrace::{self, Dtrace};
use crate::capture::probes::Watch;
use crate::capture::selection::{Name, Selection};
use crate::capture::slice::{Preference, may_profile};
use crate::capture::toolexec::{Held, Toolexec, Wanted};
use crate::capture::{
    Backend, Copies, MachRequest, Opened, PatchRequest, PreparedRequest, Request, dyldlog, graphs,
    launch,
};
use crate::environment::Refusal;
use crate::environment::go_flags;
use crate::environment::toolchain;
use crossbeam_channel::Receiver;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Session {
    pub(super) fn choose(&mut self) -> Result<(), Error> {
        let mut names = match &self.options.selection {
            Selection::Named(names) => names.clone(),
            Selection::Auto if !self.options.watch.mode.is_full() => self.by_copies()?,
            Selection::Auto => match Name::Bpf.availability() {
                Ok(()) => self.beside_rights(),
                Err(refusal) => {
                    self.refused.push((Name::Bpf, refusal));
                    self.without_rights()
                }
            },
        };
        if self.options.request.bindings && !names.contains(&Name::OF_BINDINGS) {
            names.push(Name::OF_BINDINGS);
        }
        // They follow no children: the shim brings them.
        let followed = |name: &Name| matches!(name, Name::Dtrace | Name::Patch);
        if names.iter().any(followed) && !names.contains(&Name::Toolexec) {
            names.push(Name::Toolexec);
        }
        let watches = |name: &Name| matches!(name, Name::Bpf | Name::Dtrace | Name::Patch);
        if self.options.watch.is_asked_for() && !names.iter().any(watches) {
            let refusal = match self.refused.pop() {
                Some((Name::Bpf, refusal)) => refusal,
                _ => Refusal {
                    reason:
                        "functions are watched by the backends patch and bpf, on macOS by patch and dtrace"
                            .to_owned(),
                    evidence: "--probe or --probe-set without one".to_owned(),
                    remedy: "--backend patch, or without --backend".to_owned(),
                },
            };
            let backend = Name::Bpf.word();
            return Err(Error::Refused { backend, refusal });
        }
        self.open(&names)
    }

    /// The best that works with rights: the kernel sees all, and copies tell of functions where there can be any.
    fn beside_rights(&mut self) -> Vec<Name> {
        let mut names = vec![Name::Bpf];
        if self.options.request.profile {
            names.push(Name::Toolexec);
        }
        let watch = &self.options.watch;
        // The helper puts its probes on programs as they are, and on functions of built-in sets alone.
        let is_copies_turn = crate::capture::bpf_probes_all() || !watch.is_built_in();
        let is_useful = !watch.is_empty() && is_copies_turn && self.reaches_tools();
        if !is_useful || self.spool.is_none() {
            return names;
        }
        match Name::Patch.availability() {
            Ok(()) => names.push(Name::Patch),
            Err(refusal) => self.refused.push((Name::Patch, refusal)),
        }
        names
    }

    pub(super) fn open(&mut self, names: &[Name]) -> Result<(), Error> {
        self.backends.clear();
        // Tools that wait until they are watched; each is let go before the next can ask.
        let (wants_held, held) = crossbeam_channel::bounded(UNDER_WAY);
        let holds = names.contains(&Name::Dtrace);
        let mut wanted = Wanted {
            held: holds.then(|| wants_held.clone()),
            holds,
            stand_ins: None,
        };
        // Breakpoints in an original that its copy runs for would never be met: they are put into the copy.
        let beside_kernel = names.contains(&Name::Bpf) && crate::capture::bpf_probes_all();
        let mut copies = None;
        let mut names = names.to_vec();
        // The shim is told what it is to have run.
        names.sort_by_key(|name| *name != Name::Patch);
        let may_do_without = self.may_do_without_copies(beside_kernel);
        if names.contains(&Name::Patch) {
            // Each is told of to one alone, and who holds them tells the recorder, too.
            let started = if holds {
                crossbeam_channel::never()
            } else {
                held.clone()
            };
            match self.patch(started, (beside_kernel, may_do_without)) {
                Ok((backend, known)) => {
                    (wanted.stand_ins, copies) = known.unzip();
                    wanted.held = Some(wants_held.clone());
                    self.backends.push(backend);
                }
                Err(refusal) if may_do_without => {
                    self.refused.push((Name::Patch, refusal));
                    // It came for them alone.
                    let stays = !names.contains(&Name::Bpf) || self.options.request.profile;
                    names.retain(|name| stays || *name != Name::Toolexec);
                }
                Err(refusal) => {
                    let backend = Name::Patch.word();
                    return Err(Error::Refused { backend, refusal });
                }
            }
            names.retain(|name| *name != Name::Patch);
        }
        for name in names {
            let backend = match name {
                Name::Bpf => self.bpf(copies.take(), beside_kernel),
                Name::Toolexec => self.toolexec(std::mem::take(&mut wanted)),
                Name::Dtrace => self.dtrace(held.clone()),
                Name::Audit => self.audit(),
                Name::Dyldlog => self.dyldlog(),
                Name::Mach => self.mach(),
                Name::Patch => continue,
            };
            match backend {
                Ok(backend) => self.backends.push(backend),
                Err(refusal) => {
                    let backend = name.word();
                    return Err(Error::Refused { backend, refusal });
                }
            }
        }
        self.read_graphs();
        self.add_to_environment();
        Ok(())
    }

    /// The best that works without rights.
    pub(super) fn without_rights(&self) -> Vec<Name> {
        let toolexec = self.spool.iter().map(|_| Name::Toolexec);
        let watches = !self.options.watch.is_empty() && self.spool.is_some();
        let patch = watches && Name::Patch.availability().is_ok();
        toolexec.chain(patch.then_some(Name::Patch)).collect()
    }

    /// What watches where calls are not to be recorded one by one: copies of programs watch functions, and the kernel
    /// all else.
    fn by_copies(&mut self) -> Result<Vec<Name>, Error> {
        let refused = |refusal| {
            let backend = Name::Patch.word();
            Error::Refused { backend, refusal }
        };
        Name::Patch.availability().map_err(refused)?;
        match Name::Bpf.availability() {
            Ok(()) => Ok(vec![Name::Bpf, Name::Toolexec, Name::Patch]),
            Err(refusal) => {
                self.refused.push((Name::Bpf, refusal));
                Ok(vec![Name::Toolexec, Name::Patch])
            }
        }
    }

    /// Nobody asked for copies, and nothing that was asked for is missing without them: the kernel watches that, or
    /// nobody asked for more calls than those of the sets that are watched by default.
    fn may_do_without_copies(&self, beside_kernel: bool) -> bool {
        let watch = &self.options.watch;
        let is_auto = self.options.selection == Selection::Auto;
        is_auto && (!watch.is_asked_for() || beside_kernel && watch.mode.is_full())
    }

    /// The tools of go commands can be run by copies: nothing of the user's runs them, which would run the tools
    /// themselves.
    fn reaches_tools(&self) -> bool {
        self.users_toolexec().is_none() && !self.overrides_toolexec()
    }

    /// The go command's own line has a `-toolexec`, which takes the place of gotrace's.
    pub(super) fn overrides_toolexec(&self) -> bool {
        let words = self.options.command.iter().skip(1);
        let mut words = words.map(|word| word.as_bytes());
        words.any(|word| {
            let flag = word.strip_prefix(b"-").unwrap_or_default();
            let flag = flag.strip_prefix(b"-").unwrap_or(flag);
            flag == b"toolexec" || flag.starts_with(b"toolexec=")
        })
    }

    /// Has the go commands' action graphs read: those that the user asks for, and where GOFLAGS
    /// ask for none, those that gotrace asks for.
    pub(super) fn read_graphs(&mut self) {
        let words = self.options.command.iter().map(|word| word.as_bytes());
        let words: Vec<&[u8]> = words.collect();
        let line = match words.as_slice() {
            [go, rest @ ..] if launch::is_go(OsStr::from_bytes(go)) => rest,
            _ => &[],
        };
        let folder = go_flags::value_on_line(line, "C").unwrap_or(b".");
        let folder = Path::new(OsStr::from_bytes(folder));
        let of_user = |path: &[u8]| {
            let path = folder.join(OsStr::from_bytes(path));
            graphs::ActionGraphs::of_user(&std::path::absolute(path).ok()?)
        };
        let flags = go_flags::split(&self.user_flags).unwrap_or_default();
        let in_flags = go_flags::value(&flags, "debug-actiongraph");
        let on_line = go_flags::value_on_line(line, "debug-actiongraph");
        let asked_for = match (in_flags, &self.spool) {
            (Some(path), _) => of_user(path),
            (None, Some(spool)) => Some(graphs::ActionGraphs::asked_for(spool)),
            (None, None) => {
                self.refused.push((Name::Toolexec, no_spool()));
                None
            }
        };
        for graphs in asked_for.into_iter().chain(on_line.and_then(of_user)) {
            self.backends.push(Box::new(graphs));
        }
    }

    /// The kernel's part, beside copies or without.
    fn bpf(&self, copies: Option<Copies>, probes_all: bool) -> Result<Box<dyn Backend>, Refusal> {
        let watch = &self.options.watch;
        let watched = match copies {
            // The helper puts probes on programs alone that run as they are.
            Some(copies) if !probes_all => (Watch::default(), Some(copies)),
            // Where calls are added up, the kernel's would be missing in the sums.
            Some(copies) if !watch.mode.is_full() => (watch.marks(), Some(copies)),
            copies => (watch.clone(), copies),
        };
        crate::capture::open_bpf(
            self.options.request,
            watched,
            self.expected(),
            (
                launch::cache(&self.environment, self.invoker.as_ref()),
                self.invoker.clone(),
            ),
        )
    }

    fn dtrace(&self, held: Receiver<Held>) -> Result<Box<dyn Backend>, Refusal> {
        let backend = Dtrace::new(dtrace::Options {
            rate_hz: self.options.request.rate_hz,
            watch: self.options.watch.clone(),
            bindings: self.options.request.bindings,
            command: launch::exe(&self.options.command, &self.environment),
            held,
        })?;
        Ok(Box::new(backend))
    }

    fn toolexec(&self, wanted: Wanted) -> Result<Box<dyn Backend>, Refusal> {
        let spool = self.spool.as_ref().ok_or_else(no_spool)?;
        let user = self.users_toolexec();
        let Request {
            profile,
            profile_translated,
            ..
        } = self.options.request;
        if profile {
            let chosen = self.slice.map(Preference::translator);
            let own = self.toolchain.as_ref().map(|go| &*go.translator);
            may_profile(chosen.or(own).unwrap_or_default(), profile_translated)?;
        }
        let progress = Arc::clone(&self.progress);
        match Toolexec::new(spool, user.as_deref(), profile, progress, wanted) {
            Ok(backend) => Ok(Box::new(backend)),
            Err(error) => Err(Refusal {
                reason: "the -toolexec in GOFLAGS cannot be extended".to_owned(),
                evidence: error.to_string(),
                remedy: "correct the quotes in GOFLAGS".to_owned(),
            }),
        }
    }

    /// What the user's GOFLAGS have tools run by.
    pub(super) fn users_toolexec(&self) -> Option<Vec<u8>> {
        let flags = go_flags::split(&self.user_flags).ok()?;
        let value = go_flags::value(&flags, "toolexec")?;
        (!value.is_empty()).then(|| value.to_vec())
    }

    fn patch(
        &self,
        started: Receiver<Held>,
        (beside_kernel, may_do_without): (bool, bool),
    ) -> Result<Opened, Refusal> {
        let (running, _) = launch::running(&self.options.command, &self.environment);
        let looks_for_it =
            launch::is_go(running.as_os_str()) && self.environment.get("GOROOT").is_none();
        let goroot = looks_for_it.then(|| {
            let told = self.toolchain.as_ref();
            let told = told.map(|toolchain| toolchain.variable("GOROOT").into());
            told.or_else(|| launch::goroot(&running))
        });
        let spool = self.spool.as_ref().ok_or_else(no_spool)?;
        // The command's own toolchain, where it is a go command; what else runs one finds it on PATH.
        let of_command = launch::is_go(running.as_os_str()).then(|| launch::goroot(&running));
        let told = self.toolchain.as_ref();
        let told = told.map(|toolchain| PathBuf::from(toolchain.variable("GOROOT")));
        let prepared = PreparedRequest {
            goroots: of_command.flatten().into_iter().chain(told).collect(),
            folder: spool.path(),
            owner: self
                .invoker
                .as_ref()
                .map(|invoker| (invoker.uid, invoker.gid)),
        };
        let watch = self.options.watch.clone();
        // A name that is not there is told before the command runs. What sets alone ask for can be looked at when it is
        // about to run, if it ever is; unless the kernel's probes are to be there by then. What has a copy by then is
        // watched there: go commands that others start, and tools that something of the user's runs, have none.
        let go = self.toolchain.as_ref().map(|toolchain| &toolchain.path);
        let runs_copies = |path: &PathBuf| {
            *path == running || self.reaches_tools() && go.is_none_or(|go| path != go)
        };
        let mut expected = self.expected();
        expected.retain(|path| {
            let mut named = watch.named.iter();
            let is_named = named.any(|spec| spec.image.matches(path.as_os_str().as_bytes()));
            match beside_kernel {
                true => runs_copies(path),
                false => is_named,
            }
        });
        let request = PatchRequest {
            watch,
            beside_kernel,
            is_spare: beside_kernel && may_do_without,
            expected,
            caches: launch::cache(&self.environment, self.invoker.as_ref()),
            others: self.invoker.is_some(),
            goroot: goroot.flatten(),
            own_path: self.options.own_path,
            started,
        };
        crate::capture::open_patch(request, &prepared)
    }

    fn audit(&self) -> Result<Box<dyn Backend>, Refusal> {
        let spool = self.spool.as_ref().ok_or_else(no_spool)?;
        let users = self.unwatched.get("LD_AUDIT");
        let (command, invoker) = (&self.options.command, self.invoker.as_ref());
        crate::capture::open_audit(command, spool, invoker, users, self.follows_tree())
    }

    fn dyldlog(&self) -> Result<Box<dyn Backend>, Refusal> {
        Name::Dyldlog.availability()?;
        let name = self.options.command.first().cloned().unwrap_or_default();
        let path = self.environment.get("PATH").unwrap_or_default();
        if let Some(program) = toolchain::find_on_path(&name, path) {
            dyldlog::heeds(&program)?;
        }
        let spool = self.spool.as_ref().ok_or_else(no_spool)?;
        let backend = dyldlog::DyldLogs::new(spool).map_err(|error| Refusal {
            evidence: error.to_string(),
            ..no_spool()
        })?;
        Ok(Box::new(backend))
    }

    fn mach(&self) -> Result<Box<dyn Backend>, Refusal> {
        let spool = self.spool.as_ref().ok_or_else(no_spool)?;
        let name = self.options.command.first().cloned().unwrap_or_default();
        let path = self.environment.get("PATH").unwrap_or_default();
        crate::capture::open_mach(&MachRequest {
            program: toolchain::find_on_path(&name, path),
            cache: launch::cache(&self.environment, self.invoker.as_ref()),
            secret: spool.secret(),
            users: self.unwatched.get("DYLD_INSERT_LIBRARIES"),
            rate_hz: self.options.request.rate_hz,
        })
    }

    /// The command's own executable, and those of the toolchain, which a build will run again and
    /// again.
    pub(super) fn expected(&self) -> Vec<PathBuf> {
        let (running, _) = launch::running(&self.options.command, &self.environment);
        let Some(go) = &self.toolchain else {
            return vec![running];
        };
        let tools = go.tools();
        let tools = ["compile", "link", "asm", "cgo", "vet"].map(|tool| tools.join(tool));
        let known = [running, go.path.clone()].into_iter();
        known.chain(tools).collect()
    }
}

fn no_spool() -> Refusal {
    Refusal {
        reason: "no folder for temporary files".to_owned(),
        evidence: "neither TMPDIR nor /tmp can be written".to_owned(),
        remedy: "set TMPDIR to a folder that can be written".to_owned(),
    }
}

//! The role of each process: which tool it is, and which package of the build it works for.

use super::{Name, Tool, argv};
use crate::trace::{Process, ProcessId, StringId, Trace};
use rustc_hash::FxHashMap;

/// What a process is, and for whom it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Which tool.
    pub tool: Tool,
    /// Import path of the package that it works for, where it could be told.
    ///
    /// A main package that only command lines are known of is called by its folder, as long as
    /// no other package tells where its module lies. A test binary works for the package that
    /// it tests.
    pub package: Option<Name>,
    /// Directory of its action (`/tmp/go-build123/b042`), its own or its parent's.
    pub objdir: Option<Name>,
    /// The program that started it, gotrace's own ones passed over.
    pub parent: Option<ProcessId>,
    /// The nearest go command among its ancestors, or itself.
    pub go: Option<ProcessId>,
}

/// The roles of all processes of a trace.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    rows: Vec<Option<Role>>,
}

impl Roles {
    /// Tells the role of each process from what it ran, its parents, and the action graphs.
    ///
    /// Linear in the bytes of all arguments. What ties a process to a package, the strongest
    /// first: the go command's word (`TOOLEXEC_IMPORTPATH`); the folder of its action
    /// (`$WORK/bNNN`), which an action graph or a compiler's `-p` ties to a package; its own
    /// `-p`; its parent, unless that is a go command; its working directory.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let mut roles = Self::with_tools(trace);
        roles.find_objdirs(trace);
        let packages = Packages::of(trace, &roles);
        roles.find_packages(trace, &packages);
        roles
    }

    /// The role of a process; `None` for gotrace's own and for unknown ones.
    #[must_use]
    pub fn get(&self, process: ProcessId) -> Option<&Role> {
        self.rows.get(process.index())?.as_ref()
    }

    /// All processes but gotrace's own, by id.
    pub fn iter(&self) -> impl Iterator<Item = (ProcessId, &Role)> + '_ {
        (0..)
            .map(ProcessId)
            .zip(&self.rows)
            .filter_map(|(id, role)| Some((id, role.as_ref()?)))
    }

    fn with_tools(trace: &Trace) -> Self {
        let role = |process: &Process| {
            (!process.own).then(|| Role {
                tool: Tool::of(trace, &process.exec),
                package: None,
                objdir: None,
                parent: parent(trace, process),
                go: None,
            })
        };
        let mut roles = Self {
            rows: trace.processes.iter().map(role).collect(),
        };
        for id in (0..).map(ProcessId).take(roles.rows.len()) {
            let go = roles.nearest_go(id);
            let by_go = roles.tool_for_parent(trace, id);
            if let Some(role) = roles.row(id) {
                role.go = go;
                if let Some(tool) = by_go {
                    role.tool = tool;
                }
            }
        }
        roles
    }

    fn row(&mut self, id: ProcessId) -> Option<&mut Role> {
        self.rows.get_mut(id.index())?.as_mut()
    }

    fn nearest_go(&self, id: ProcessId) -> Option<ProcessId> {
        self.ancestry(id)
            .find(|&at| self.get(at).is_some_and(|role| role.tool == Tool::Go))
    }

    /// A process and its ancestors. Ends even if a damaged trace holds a circle.
    fn ancestry(&self, id: ProcessId) -> impl Iterator<Item = ProcessId> + '_ {
        let parent = |&at: &ProcessId| self.get(at)?.parent;
        std::iter::successors(Some(id), parent).take(MAX_DEPTH)
    }

    /// What a program that is no known tool is because of the go command that started it.
    fn tool_for_parent(&self, trace: &Trace, id: ProcessId) -> Option<Tool> {
        let role = self.get(id)?;
        if !matches!(role.tool, Tool::Other(_)) {
            return None;
        }
        let parent = role.parent?;
        if self.get(parent)?.tool != Tool::Go {
            return None;
        }
        match argv::go_subcommand(trace, &trace.process(parent)?.exec) {
            b"run" => Some(Tool::Program),
            b"generate" => Some(Tool::Generate),
            _ => None,
        }
    }

    fn find_objdirs(&mut self, trace: &Trace) {
        for process in &trace.processes {
            let found = match self.get(process.id) {
                Some(role) if role.tool != Tool::Go => own_objdir(trace, process)
                    .map(Name::from)
                    .or_else(|| self.get(self.helped(process.id)?)?.objdir.clone()),
                _ => None,
            };
            if let Some(role) = self.row(process.id) {
                role.objdir = found;
            }
        }
    }

    /// The parent that a process works for: any but a go command, which works for many.
    fn helped(&self, id: ProcessId) -> Option<ProcessId> {
        let parent = self.get(id)?.parent?;
        (self.get(parent)?.tool != Tool::Go).then_some(parent)
    }

    fn find_packages(&mut self, trace: &Trace, packages: &Packages<'_>) {
        for process in &trace.processes {
            let package = self.get(process.id).and_then(|role| {
                let package = packages
                    .named(trace, process)
                    .or_else(|| packages.in_objdir(role.objdir.as_deref()?.as_bytes()))
                    .or_else(|| stated_package(trace, process, &role.tool).map(Name::from))
                    .or_else(|| self.get(self.helped(process.id)?)?.package.clone())
                    .or_else(|| packages.in_folder(trace, process, &role.tool))?;
                Some(match role.tool {
                    Tool::TestBinary => tested(&package),
                    _ => package,
                })
            });
            if let Some(role) = self.row(process.id) {
                role.package = package;
            }
        }
    }
}

/// More ancestors than any build has.
const MAX_DEPTH: usize = 1_000;

/// The program that forked a process; gotrace's own are passed over. What a process ran before
/// has the same parent.
fn parent(trace: &Trace, process: &Process) -> Option<ProcessId> {
    let before = |process: &&Process| trace.process(process.predecessor?);
    let up = |process: &Process| {
        let same = std::iter::successors(trace.process(process.id), before);
        let forked_by = same.take(MAX_DEPTH).find_map(|process| process.parent);
        trace.process(forked_by?)
    };
    std::iter::successors(up(process), |&at| up(at))
        .take(MAX_DEPTH)
        .find(|at| !at.own)
        .map(|at| at.id)
}

fn own_objdir<'t>(trace: &'t Trace, process: &'t Process) -> Option<&'t [u8]> {
    let exec = &process.exec;
    argv::args(trace, exec)
        .skip(1)
        .chain([trace.strings.get(exec.cwd), trace.strings.get(exec.exe)])
        .find_map(argv::objdir)
}

/// The import path on a tool's own command line; `main` is none.
fn stated_package<'t>(trace: &'t Trace, process: &'t Process, tool: &Tool) -> Option<&'t [u8]> {
    let flag = match tool {
        Tool::Compile | Tool::Asm => &b"-p"[..],
        Tool::Cgo => b"-importpath",
        _ => return None,
    };
    argv::flag(trace, &process.exec, flag).filter(|&path| path != b"main" && !path.is_empty())
}

/// The package that a test binary's package `p.test` tests.
fn tested(package: &Name) -> Name {
    package
        .strip_suffix(".test")
        .map_or_else(|| package.clone(), Name::from)
}

/// Import path without what cmd/go writes behind it for test variants: `p [p.test]`.
fn without_variant(package: &[u8]) -> &[u8] {
    package.split(|&b| b == b' ').next().unwrap_or_default()
}

/// What ties folders to packages.
#[derive(Default)]
struct Packages<'t> {
    names: FxHashMap<&'t [u8], Name>,
    by_objdir: FxHashMap<&'t [u8], Name>,
    /// Source folders; `None` where several packages were compiled in one.
    by_folder: FxHashMap<&'t [u8], Option<Name>>,
}

impl<'t> Packages<'t> {
    fn of(trace: &'t Trace, roles: &Roles) -> Self {
        let mut packages = Self::default();
        packages.read_graphs(trace);
        let compiles = || {
            trace.processes.iter().filter(|process| {
                let tool = roles.get(process.id).map(|role| &role.tool);
                tool == Some(&Tool::Compile)
            })
        };
        let mut modules = Modules::default();
        for process in compiles() {
            let folder = source_folder(trace, process);
            let Some(package) = packages.named(trace, process).or_else(|| {
                let path = stated_package(trace, process, &Tool::Compile)?;
                Some(packages.name(path))
            }) else {
                continue;
            };
            modules.learn(folder, package.as_bytes());
            packages.tie(trace, process, folder, package);
        }
        for process in compiles() {
            let known = own_objdir(trace, process).and_then(|dir| packages.in_objdir(dir));
            if known.is_none() && argv::flag(trace, &process.exec, b"-p") == Some(b"main") {
                let folder = source_folder(trace, process);
                let mut path = modules.import_path(folder);
                if is_test_main(trace, process) {
                    path.push_str(".test");
                }
                packages.tie(trace, process, folder, Name::from(path));
            }
        }
        packages
    }

    /// Ties the folders of actions to their packages. Several actions share a folder: the one
    /// that compiles comes first, then the others.
    fn read_graphs(&mut self, trace: &'t Trace) {
        for compiling in [true, false] {
            for action in &trace.actions {
                let package = without_variant(trace.strings.get(action.package));
                if (trace.strings.get(action.mode) == b"build") != compiling || package.is_empty() {
                    continue;
                }
                let commands = action.commands.iter().map(|&id| trace.strings.get(id));
                let dir = [action.objdir, action.target]
                    .into_iter()
                    .map(|id: StringId| trace.strings.get(id))
                    .chain(commands)
                    .find_map(argv::objdir);
                if let Some(dir) = dir {
                    let name = self.name(package);
                    self.by_objdir.entry(dir).or_insert(name);
                }
            }
        }
    }

    fn name(&mut self, path: &'t [u8]) -> Name {
        self.names
            .entry(path)
            .or_insert_with(|| Name::from(path))
            .clone()
    }

    fn tie(&mut self, trace: &'t Trace, process: &'t Process, folder: &'t [u8], package: Name) {
        if let Some(dir) = own_objdir(trace, process) {
            self.by_objdir.entry(dir).or_insert_with(|| package.clone());
        }
        self.by_folder
            .entry(folder)
            .and_modify(|known| {
                if known.as_ref() != Some(&package) {
                    *known = None;
                }
            })
            .or_insert(Some(package));
    }

    /// The package that the go command named for a tool.
    fn named(&self, trace: &Trace, process: &Process) -> Option<Name> {
        let path = without_variant(trace.strings.get(process.exec.package));
        if path.is_empty() {
            return None;
        }
        let known = self.names.get(path).cloned();
        Some(known.unwrap_or_else(|| Name::from(path)))
    }

    fn in_objdir(&self, dir: &[u8]) -> Option<Name> {
        self.by_objdir.get(dir).cloned()
    }

    /// pkg-config and trial runs of C compilers have no folder of an action on their command
    /// lines, but may run in the folder of the package.
    fn in_folder(&self, trace: &Trace, process: &Process, tool: &Tool) -> Option<Name> {
        match tool {
            Tool::PkgConfig | Tool::Cc => self
                .by_folder
                .get(trace.strings.get(process.exec.cwd))
                .cloned()
                .flatten(),
            _ => None,
        }
    }
}

/// The folder of a compiler's first source file that is not made by the build.
fn source_folder<'t>(trace: &'t Trace, process: &'t Process) -> &'t [u8] {
    let cwd = trace.strings.get(process.exec.cwd);
    argv::args(trace, &process.exec)
        .skip(1)
        .filter(|arg| arg.ends_with(b".go") && arg.starts_with(b"/"))
        .find(|arg| argv::objdir(arg).is_none())
        .and_then(|file| file.get(..file.iter().rposition(|&b| b == b'/')?))
        .unwrap_or(cwd)
}

/// Whether a compiler makes the main package of a test binary.
fn is_test_main(trace: &Trace, process: &Process) -> bool {
    argv::args(trace, &process.exec).any(|arg| argv::base(arg) == b"_testmain.go")
}

/// Where modules lie, learned from packages whose folder and import path are both known.
#[derive(Default)]
struct Modules<'t> {
    roots: FxHashMap<&'t [u8], Name>,
}

impl<'t> Modules<'t> {
    /// Folder `/w/a/b` of package `example.com/m/a/b` says that `/w` is `example.com/m`.
    fn learn(&mut self, folder: &'t [u8], package: &[u8]) {
        let (mut folder, mut package) = (folder, package);
        while !package.is_empty() && argv::base(folder) == argv::base(package) {
            folder = above(folder);
            package = above(package);
        }
        self.roots
            .entry(folder)
            .or_insert_with(|| Name::from(package));
    }

    /// The import path of a folder; its own name where no module is known to hold it.
    fn import_path(&self, folder: &[u8]) -> String {
        let mut root = folder;
        while !root.is_empty() {
            if let Some(prefix) = self.roots.get(root) {
                let rest = folder.get(root.len()..).unwrap_or_default();
                let path = format!("{prefix}{}", String::from_utf8_lossy(rest));
                return path.trim_start_matches('/').to_owned();
            }
            root = above(root);
        }
        String::from_utf8_lossy(argv::base(folder)).into_owned()
    }
}

/// A path without its last part.
fn above(path: &[u8]) -> &[u8] {
    path.iter()
        .rposition(|&b| b == b'/')
        .and_then(|slash| path.get(..slash))
        .unwrap_or_default()
}

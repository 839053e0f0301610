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

    /// Names of the tools that ran, each once, in the order of the alphabet.
    #[must_use]
    pub fn tool_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.iter().map(|(_, role)| role.tool.name()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether some program works for the package of this import path.
    #[must_use]
    pub fn work_for(&self, package: &str) -> bool {
        let mut roles = self.iter();
        roles.any(|(_, role)| role.package.as_deref() == Some(package))
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
        let cgo = self.cgo_folders(trace);
        for process in &trace.processes {
            let found = match self.get(process.id) {
                Some(role) if role.tool != Tool::Go => own_objdir(trace, process)
                    .or_else(|| beside_cgo(trace, process, &role.tool, &cgo))
                    .map(Name::from)
                    .or_else(|| self.get(self.helped(process.id)?)?.objdir.clone()),
                _ => None,
            };
            if let Some(role) = self.row(process.id) {
                role.objdir = found;
            }
        }
    }

    /// The folders in which cgo was run, and the folder of the one action that ran it there.
    fn cgo_folders<'t>(&self, trace: &'t Trace) -> CgoFolders<'t> {
        let mut folders = CgoFolders::default();
        for process in &trace.processes {
            let is_cgo = matches!(self.get(process.id), Some(role) if role.tool == Tool::Cgo);
            let dir = own_objdir(trace, process).filter(|_| is_cgo);
            if let Some(dir) = dir {
                let known = folders
                    .entry(trace.strings.get(process.exec.cwd))
                    .or_insert(Some(dir));
                *known = known.filter(|&known| known == dir);
            }
        }
        folders
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
                    .or_else(|| self.get(self.helped(process.id)?)?.package.clone())?;
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

/// Source folders; `None` where several actions ran cgo.
type CgoFolders<'t> = FxHashMap<&'t [u8], Option<&'t [u8]>>;

/// pkg-config names no folder of an action, but runs in the folder of the package that cgo is
/// run for right after.
fn beside_cgo<'t>(
    trace: &Trace,
    process: &Process,
    tool: &Tool,
    cgo: &CgoFolders<'t>,
) -> Option<&'t [u8]> {
    let cwd = trace.strings.get(process.exec.cwd);
    let asks = *tool == Tool::PkgConfig && !cwd.is_empty();
    asks.then(|| cgo.get(cwd).copied().flatten()).flatten()
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

/// What ties the folders of actions to packages.
#[derive(Default)]
struct Packages<'t> {
    names: FxHashMap<&'t [u8], Name>,
    by_objdir: FxHashMap<&'t [u8], Name>,
}

impl<'t> Packages<'t> {
    fn of(trace: &'t Trace, roles: &Roles) -> Self {
        let mut packages = Self::default();
        packages.read_graphs(trace);
        let of_tool = |tool: Tool| {
            let is_tool = move |process: &&Process| matches!(roles.get(process.id), Some(role) if role.tool == tool);
            trace.processes.iter().filter(is_tool)
        };
        let mut modules = Modules::default();
        for process in of_tool(Tool::Compile) {
            let Some(package) = packages.named(trace, process).or_else(|| {
                let path = stated_package(trace, process, &Tool::Compile)?;
                Some(packages.name(path))
            }) else {
                continue;
            };
            if let Some(folder) = source_folder(trace, process) {
                modules.learn(folder, package.as_bytes());
            }
            packages.tie(trace, process, package);
        }
        // A test binary runs in the folder of the package that it tests.
        let mut tested: FxHashMap<&[u8], &[u8]> = FxHashMap::default();
        for process in of_tool(Tool::TestBinary) {
            let cwd = trace.strings.get(process.exec.cwd);
            if let (Some(dir), [_, ..]) = (own_objdir(trace, process), cwd) {
                tested.insert(dir, cwd);
            }
        }
        for process in of_tool(Tool::Compile) {
            let dir = own_objdir(trace, process);
            let known = dir.and_then(|dir| packages.in_objdir(dir));
            if known.is_some() || argv::flag(trace, &process.exec, b"-p") != Some(b"main") {
                continue;
            }
            let cwd = trace.strings.get(process.exec.cwd);
            let path = if is_test_main(trace, process) {
                let folder = dir.and_then(|dir| tested.get(dir)).unwrap_or(&cwd);
                modules.import_path(folder) + ".test"
            } else {
                modules.import_path(source_folder(trace, process).unwrap_or(cwd))
            };
            packages.tie(trace, process, Name::from(path));
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

    fn tie(&mut self, trace: &'t Trace, process: &'t Process, package: Name) {
        if let Some(dir) = own_objdir(trace, process) {
            self.by_objdir.entry(dir).or_insert(package);
        }
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
}

/// The folder of a compiler's first source file that is not made by the build.
fn source_folder<'t>(trace: &'t Trace, process: &'t Process) -> Option<&'t [u8]> {
    let file = argv::args(trace, &process.exec)
        .skip(1)
        .find(|arg| arg.ends_with(b".go") && argv::objdir(arg).is_none())?;
    // Older go commands run the compiler in that folder, and name files `./a.go`.
    if file.starts_with(b"/") {
        Some(above(file))
    } else {
        Some(trace.strings.get(process.exec.cwd))
    }
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
        if let Some(tested) = package.strip_suffix(b"_test")
            && argv::base(folder) != argv::base(package)
        {
            package = tested;
        }
        // A domain alone is no module: `/w` of `example.com/w` tells nothing of `/`.
        let is_domain = |path: &[u8]| path.contains(&b'.') && !path.contains(&b'/');
        while !package.is_empty()
            && argv::base(folder) == argv::base(package)
            && !is_domain(above(package))
        {
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

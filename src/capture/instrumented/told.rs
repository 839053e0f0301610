//! What the records of an instrumented toolchain mean to a run: the toolchain and what the run asks for in, functions with
//! their phases out, as the recorder and whoever reads records are to know them.
//!
//! All of its functions that tell are recorded: they were chosen when it was prepared, and what they cost is paid.

use super::{ToldFunction, ToldProgram, Toolchain};
use crate::capture::alive;
use crate::capture::calls::OF_COPIES;
use crate::capture::decode::call_sieve::{self, Functions, Traits};
use crate::capture::observation::Probed;
use crate::capture::probes::{Mode, Phase, ProbeSet, Spec, Watch};
use crate::trace::{Arch, ArgumentKind, Nanos, PhaseLasts, ProbeId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::os::unix::ffi::OsStrExt as _;

/// What telling of an entry or of an exit costs a program at most, where nobody has measured it: the reading of the
/// counter is most of it elsewhere, too.
const COST: Nanos = Nanos(20);

/// What records mean.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// By what their chunks say that they are of.
    pub images: FxHashMap<u64, Functions>,
    /// What the trace is to know of each function.
    pub probed: Vec<Probed>,
    /// What was asked for and is not seen, each with why.
    pub unseen: Vec<(String, String)>,
}

impl Told {
    /// That of a toolchain for a run.
    #[must_use]
    pub fn of(toolchain: &Toolchain, watch: &Watch) -> Self {
        let mut told = Self::default();
        let sets = sets(toolchain, watch);
        for program in &toolchain.programs {
            told.enter(toolchain, program, (&sets, watch));
        }
        told.tell_missing(toolchain, watch);
        told
    }

    /// How many functions of how many programs tell of their calls.
    #[must_use]
    pub fn announcement(&self) -> String {
        let programs: FxHashSet<&[u8]> = self.probed.iter().map(|probed| &*probed.path).collect();
        let programs = match programs.len() {
            1 => "a program".to_owned(),
            many => format!("{many} programs"),
        };
        format!(
            "{} functions of {programs} tell of their calls, as the toolchain was prepared",
            self.probed.len()
        )
    }

    fn enter(
        &mut self,
        toolchain: &Toolchain,
        program: &ToldProgram,
        (sets, watch): (&[ProbeSet], &Watch),
    ) {
        // The same program may be there twice.
        if self.images.contains_key(&program.image) {
            return;
        }
        let path = toolchain.root.join(&program.path);
        let jump = match alive::arch(&path) {
            Arch::Arm64 => "b",
            _ => "jmp",
        };
        let path = path.as_os_str().as_bytes();
        let specs = sets.iter().flat_map(|set| set.specs(toolchain.version));
        let marking = specs.filter(|spec| spec.phase.is_some() && spec.image.matches(path));
        let marking: Vec<&Spec> = marking.collect();
        let first = OF_COPIES.saturating_add(u32::try_from(self.probed.len()).unwrap_or(u32::MAX));
        let mut traits = Vec::with_capacity(program.functions.len());
        for (number, function) in (first..).zip(&program.functions) {
            let phase = phase(&marking, function);
            let known = Traits::of(function.name.as_bytes(), &watch.mode);
            let known = known.with(Traits::MARKS, phase.is_some());
            traits.push(known.with(Traits::INSTANT, function.exits == 0));
            self.probed.push(Probed {
                probe: ProbeId(number),
                path: path.to_vec(),
                build_id: Vec::new(),
                function: function.name.clone().into_bytes(),
                file: function.file.clone().into_bytes(),
                entry: function.entry,
                instruction: jump.to_owned(),
                entry_cost: COST,
                exits: function.exits,
                exit_cost: COST,
                set: function.set.clone().unwrap_or_default(),
                phase,
                argument: ArgumentKind::None,
            });
        }
        let first = ProbeId(first);
        self.images
            .insert(program.image, Functions { first, traits });
    }

    /// What the user asks for and no program tells.
    fn tell_missing(&mut self, toolchain: &Toolchain, watch: &Watch) {
        let is_told = |spec: &Spec| {
            let mut probed = self.probed.iter();
            probed.any(|probed| {
                spec.image.matches(&probed.path) && spec.function.matches(&probed.function)
            })
        };
        let wanted = watch.wanted();
        let missing: Vec<String> = wanted
            .iter()
            .filter(|spec| !is_told(spec))
            .map(ToString::to_string)
            .collect();
        let root = toolchain.root.display();
        self.unseen.extend(missing.into_iter().map(|spec| {
            let why = format!(
                "{root} was not prepared to tell of it: gotrace toolchain prepare --instrument '{spec}' makes one that does"
            );
            (format!("calls of {spec}"), why)
        }));
        let bounds = call_sieve::bounds(&watch.mode);
        let unmet = bounds.iter().filter(|(_, glob)| {
            let mut probed = self.probed.iter();
            !probed.any(|probed| glob.matches(&probed.function))
        });
        let unmet: Vec<_> = unmet.map(call_sieve::unmet).collect();
        self.unseen.extend(unmet);
        if watch.arguments {
            let what = format!("first arguments of functions in {root}");
            let why = "copies for macOS do not record them".to_owned();
            self.unseen.push((what, why));
        }
    }
}

/// Sets of functions that may mark phases: what the run watches, and of those that gotrace comes with the ones by which
/// the toolchain was prepared.
fn sets(toolchain: &Toolchain, watch: &Watch) -> Vec<ProbeSet> {
    let functions = toolchain
        .programs
        .iter()
        .flat_map(|program| &program.functions);
    let prepared: FxHashSet<&str> = functions
        .filter_map(|function| function.set.as_deref())
        .collect();
    let known = ProbeSet::embedded().unwrap_or_default().into_iter();
    let is_watched = |name: &str| watch.sets.iter().any(|set| set.name == name);
    let known = known.filter(|set| prepared.contains(&*set.name) && !is_watched(&set.name));
    watch.sets.iter().cloned().chain(known).collect()
}

/// The phase that calls of a function mark: where one ends with its call, exits have to be told of.
fn phase<'s>(marking: &[&'s Spec], function: &ToldFunction) -> Option<Phase> {
    let matching = marking.iter().copied();
    let matching = matching.filter(|spec| spec.function.matches(function.name.as_bytes()));
    let highest = |one: &'s Spec, other: &'s Spec| if other.mode > one.mode { other } else { one };
    let phase = matching.reduce(highest)?.phase.as_ref()?;
    let ends = phase.lasts == PhaseLasts::UntilNext || function.mode == Mode::Call;
    ends.then(|| phase.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::go::Version;
    use crate::capture::probes::CallMode;

    const GO: &str = "pkg/tool/darwin_amd64/compile";

    fn function(name: &str, mode: Mode, set: Option<&str>) -> ToldFunction {
        ToldFunction {
            name: name.to_owned(),
            file: String::new(),
            mode,
            set: set.map(str::to_owned),
            entry: 0,
            exits: u32::from(mode == Mode::Call),
        }
    }

    fn toolchain(programs: Vec<(&str, u64, Vec<ToldFunction>)>) -> Toolchain {
        let programs = programs.into_iter();
        let programs = programs.map(|(path, image, functions)| ToldProgram {
            path: path.into(),
            image,
            functions,
        });
        Toolchain {
            root: "/go".into(),
            version: Some(Version {
                major: 1,
                minor: 27,
            }),
            programs: programs.collect(),
        }
    }

    fn set(text: &str) -> ProbeSet {
        ProbeSet::parse("own.toml", text).unwrap()
    }

    fn phases(toolchain: &Toolchain, watch: &Watch) -> Vec<Option<String>> {
        let told = Told::of(toolchain, watch);
        let phases = told.probed.into_iter().map(|probed| probed.phase);
        phases.map(|phase| Some(phase?.name)).collect()
    }

    #[test]
    fn phases_are_those_of_sets_for_this_program_and_release() {
        let own = set(r#"name = "own"
            description = "for this test"
            [[probe]]
            image = "compile"
            function = "main.old"
            phase = "of another release"
            until = "1.26"
            [[probe]]
            image = "compile"
            function = "main.old"
            phase = "of this one"
            since = "1.27"
            [[probe]]
            image = "link"
            function = "main.other"
            phase = "of another program"
            [[probe]]
            image = "compile"
            function = "main.call*"
            phase = "with its call"
            lasts = "call"
            "#);
        let functions = vec![
            function("main.old", Mode::Entry, Some("own")),
            function("main.other", Mode::Entry, Some("own")),
            function("main.call", Mode::Call, None),
            // When it ends is not told.
            function("main.calls", Mode::Entry, None),
        ];
        let toolchain = toolchain(vec![(GO, 1, functions)]);
        let watch = Watch {
            sets: vec![own],
            ..Watch::default()
        };
        let some = |name: &str| Some(name.to_owned());
        let expected = [some("of this one"), None, some("with its call"), None];
        assert_eq!(phases(&toolchain, &watch), expected);
        assert_eq!(
            phases(&toolchain, &Watch::default()),
            [None, None, None, None]
        );
        let told = Told::of(&toolchain, &watch);
        let traits = &told.images[&1].traits;
        let marks: Vec<bool> = traits
            .iter()
            .map(|traits| traits.has(Traits::MARKS))
            .collect();
        assert_eq!(marks, [true, false, true, false]);
        let instant: Vec<bool> = traits
            .iter()
            .map(|traits| traits.has(Traits::INSTANT))
            .collect();
        assert_eq!(instant, [true, true, false, true]);
    }

    #[test]
    fn functions_are_numbered_through_and_a_program_that_is_there_twice_once() {
        let of = |names: &[&str]| {
            names
                .iter()
                .map(|name| function(name, Mode::Call, None))
                .collect()
        };
        let toolchain = toolchain(vec![
            ("bin/go", 7, of(&["main.a", "main.b"])),
            ("bin/gofmt", 7, of(&["main.a", "main.b"])),
            (GO, 9, of(&["main.c"])),
        ]);
        let told = Told::of(&toolchain, &Watch::default());
        let probed: Vec<_> = told
            .probed
            .iter()
            .map(|probed| (probed.probe.0 - OF_COPIES, &*probed.path, &*probed.function))
            .collect();
        let expected: [(u32, &[u8], &[u8]); 3] = [
            (0, b"/go/bin/go", b"main.a"),
            (1, b"/go/bin/go", b"main.b"),
            (2, b"/go/pkg/tool/darwin_amd64/compile", b"main.c"),
        ];
        assert_eq!(probed, expected);
        assert_eq!(told.images[&9].first, ProbeId(OF_COPIES + 2));
        assert_eq!(
            told.announcement(),
            "3 functions of 2 programs tell of their calls, as the toolchain was prepared"
        );
    }

    #[test]
    fn what_is_asked_for_and_not_told_is_said() {
        let functions = vec![function("main.f", Mode::Call, None)];
        let toolchain = toolchain(vec![(GO, 1, functions)]);
        let watch = Watch {
            named: ["compile:main.f", "compile:main.g", "link:main.*"]
                .map(|spec| spec.parse().unwrap())
                .to_vec(),
            arguments: true,
            mode: CallMode {
                inside: Some("main.f".parse().unwrap()),
                between: Some(("main.f".parse().unwrap(), "main.h".parse().unwrap())),
                ..CallMode::default()
            },
            ..Watch::default()
        };
        let told = Told::of(&toolchain, &watch);
        let what: Vec<&str> = told.unseen.iter().map(|(what, _)| &**what).collect();
        let expected = [
            "calls of compile:main.g",
            "calls of link:main.*",
            "calls by --call-to main.h",
            "first arguments of functions in /go",
        ];
        assert_eq!(what, expected);
        assert_eq!(
            told.unseen[0].1,
            "/go was not prepared to tell of it: gotrace toolchain prepare --instrument 'compile:main.g' makes one that does"
        );
        let traits = told.images[&1].traits[0];
        assert!(traits.has(Traits::INSIDE) && traits.has(Traits::FROM) && !traits.has(Traits::TO));
    }

    #[test]
    fn names_are_those_that_the_library_knows() {
        let layout = include_str!("../../../probes/ring/layout.h");
        let variable = super::super::RING_VARIABLE;
        let line = format!("#define GOTRACE_RING_VARIABLE \"{variable}\"\n");
        assert!(layout.contains(&line));
    }
}

//! What must hold for every trace.

use crate::builder::{Builder, WORK, compile, ms};
use gotrace::{
    analyze::{
        Analysis, Filter,
        build::{BuildAction, Simulation},
        call_tree::{Grouping, Options},
        profile::Weight,
        timeline::{self, Bars},
    },
    trace::{FrameId, Nanos, ProcessId, StackId},
};
use proptest::prelude::*;
use std::collections::HashSet;

/// An action: which of the earlier ones it needs, its pause before, its length, in ms.
type Step = (Vec<prop::sample::Index>, u64, u64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        0..30_u64,
        0..100_u64,
    );
    prop::collection::vec(step, 1..40)
}

/// A build whose actions begin some time after their dependencies have ended, with or without
/// a graph.
fn build(steps: &[Step], graph: bool, cores: u32) -> Builder {
    let mut b = Builder::default();
    b.trace.host.cores = cores;
    let mut ends: Vec<u64> = Vec::new();
    let go = b.process(None, "/go/bin/go build", (0, 0), 1);
    for (n, (picks, pause, length)) in (0_u32..).zip(steps) {
        let deps: HashSet<usize> = match ends.len() {
            0 => HashSet::new(),
            count => picks.iter().map(|pick| pick.index(count)).collect(),
        };
        let ready = deps.iter().map(|&dep| ends[dep]).max().unwrap_or(10);
        let (start, end) = (ready + pause, ready + pause + length);
        ends.push(end);
        let id = b.process(
            Some(go),
            &compile(n, &format!("p{n}")),
            (start, end),
            *length,
        );
        let packages: Vec<String> = deps.iter().map(|dep| format!("p{dep}")).collect();
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        b.imports(id, &packages);
        if graph {
            let objdir = b.text(&format!("{WORK}/b{n:03}/"));
            let deps: Vec<u32> = deps
                .iter()
                .map(|&dep| u32::try_from(dep).unwrap())
                .collect();
            let times = (ready, start, end);
            b.action(n, ("build", &format!("p{n}")), &deps, times)
                .objdir = objdir;
        }
    }
    let end = ends.iter().max().unwrap() + 5;
    b.edit(go).exit.as_mut().unwrap().at = ms(end);
    b.end(end);
    b
}

fn sum(weights: impl Iterator<Item = Weight>) -> Weight {
    weights.fold(Weight::default(), |mut sum, weight| {
        sum += weight;
        sum
    })
}

proptest! {
    #[test]
    fn paths_explain_builds(steps in steps(), graph: bool, cores in 1..5_u32) {
        let b = build(&steps, graph, cores);
        let analysis = Analysis::of(&b.trace);
        prop_assert_eq!(analysis.builds.builds.len(), 1);
        let build = &analysis.builds.builds[0];
        prop_assert_eq!(build.actions.len(), steps.len());
        for path in [&build.critical_path, &analysis.builds.critical_path] {
            prop_assert_eq!(path.wall(), build.wall());
            prop_assert_eq!(path.running + path.waiting + path.go + path.outside, build.wall());
            prop_assert!(path.segments.windows(2).all(|two| two[0].end == two[1].start));
            prop_assert!(path.segments.iter().all(|segment| segment.start < segment.end));
        }
        let longest = build.actions.iter().map(BuildAction::running).max().unwrap();
        prop_assert!(build.longest_chain.length <= build.wall());
        prop_assert!(build.longest_chain.length >= longest);
        let chain = build.longest_chain.actions.iter();
        let along: Nanos = chain.map(|&index| build.action(index).unwrap().running()).sum();
        prop_assert_eq!(along, build.longest_chain.length);
        prop_assert!(build.critical_path.running <= build.longest_chain.length);
        let gates: u32 = build.actions.iter().map(|action| action.unlocks).sum();
        prop_assert!(gates as usize <= build.actions.len());
        for (index, action) in build.indexed().filter(|(_, action)| action.works()) {
            let waiting = build.indexed().filter(|(_, action)| action.works());
            let unlocked = waiting.filter(|(waiting, _)| build.gate(*waiting) == Some(index));
            prop_assert_eq!(unlocked.count(), action.unlocks as usize);
        }
    }

    #[test]
    fn simulations_keep_within_bounds(steps in steps(), cores in 1..5_u32) {
        let b = build(&steps, true, cores);
        let analysis = Analysis::of(&b.trace);
        let build = &analysis.builds.builds[0];
        let simulation = Simulation::of(build);
        let work: Nanos = build.actions.iter().map(BuildAction::running).sum();
        // Graham's bound for list scheduling, and the bounds of every schedule.
        let slots = u64::from(build.slots);
        prop_assert!(simulation.span() >= build.longest_chain.length);
        prop_assert!(simulation.span().0 >= work.0 / slots);
        prop_assert!(simulation.span().0 <= work.0 / slots + build.longest_chain.length.0);
        for n in 0..steps.len() {
            let what_if = simulation.without(&format!("p{n}")).unwrap();
            prop_assert!(what_if.wall <= build.wall());
            prop_assert_eq!(what_if.wall + what_if.saved, build.wall());
            if build.slots == 1 {
                prop_assert_eq!(what_if.saved, what_if.running);
            }
        }
        let best = simulation.best(5);
        prop_assert!(best.windows(2).all(|two| two[0].saved >= two[1].saved));
    }

    #[test]
    fn lanes_never_overlap(steps in steps(), graph: bool, processes: bool, bins in 0..50_u32) {
        let b = build(&steps, graph, 2);
        let analysis = Analysis::of(&b.trace);
        let bars = if processes { Bars::Processes } else { Bars::Actions };
        let timeline = analysis.timeline(timeline::Options { bars, bins, ..timeline::Options::default() });
        let mut edges = Vec::new();
        let mut area = 0.0;
        for lane in &timeline.lanes {
            prop_assert!(!lane.bars.is_empty());
            prop_assert!(lane.bars.windows(2).all(|two| two[0].end <= two[1].start));
            for bar in &lane.bars {
                edges.push((bar.start, 1_i64));
                edges.push((bar.end, -1));
                area += bar.end.since(bar.start).seconds();
            }
        }
        // As few lanes as there are bars at one moment.
        edges.sort_unstable();
        let mut now = 0;
        let most = edges.iter().map(|(_, step)| { now += step; now }).max().unwrap_or(0);
        prop_assert_eq!(timeline.lanes.len(), usize::try_from(most).unwrap());
        let shown: f64 = timeline.concurrency.iter().sum::<f64>() * timeline.bin.seconds();
        prop_assert!((shown - area).abs() < 1e-6, "{shown} {area}");
        let cpu: f64 = timeline.cpu.iter().sum::<f64>() * timeline.bin.seconds();
        prop_assert!((cpu - analysis.costs().total.cpu().seconds()).abs() < 2e-3);
    }

    #[test]
    fn costs_add_up(steps in steps(), graph: bool) {
        let b = build(&steps, graph, 2);
        let costs = Analysis::of(&b.trace).costs();
        let packages: Nanos = costs.packages.iter().map(|row| row.cost.cpu()).sum();
        let tools: Nanos = costs.tools.iter().map(|row| row.cost.cpu()).sum();
        let processes: Nanos = costs.processes.iter().map(|row| row.cost.cpu()).sum();
        prop_assert_eq!([packages, tools, processes], [costs.total.cpu(); 3]);
        for row in &costs.processes {
            prop_assert!(row.cost.waiting <= row.cost.wall);
        }
    }

    #[test]
    fn totals_are_sums_of_what_is_their_own(
        parents in prop::collection::vec((any::<prop::sample::Index>(), 0..6_u32), 1..60),
        samples in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u32, 1..9_u64), 0..80),
    ) {
        let mut b = Builder::default();
        for n in 0..3 {
            b.process(None, &compile(n, &format!("p{n}")), (0, 100), 10);
        }
        let image = b.image("/x");
        b.named(image, &["f"]);
        b.named(image, &["g", "f"]);
        b.named(image, &["h", "h", "g"]);
        b.unmapped();
        b.cut();
        b.named(image, &[]);
        let mut stacks = vec![StackId::EMPTY];
        for (parent, frame) in &parents {
            let parent = stacks[parent.index(stacks.len())];
            stacks.push(b.trace.stacks.push(parent, FrameId(*frame)).unwrap());
        }
        for (stack, process, weight) in &samples {
            b.sample(ProcessId(*process), stacks[stack.index(stacks.len())], 1, *weight);
        }
        let analysis = Analysis::of(&b.trace);
        let profile = analysis.profile(&Filter::default());
        let named = profile.functions.iter().map(|row| row.own);
        let all = sum(named.chain(profile.unnamed.iter().map(|row| row.own)));
        prop_assert_eq!(all, profile.total);
        prop_assert_eq!(sum(profile.images.iter().map(|row| row.own)), profile.total);
        prop_assert_eq!(sum(profile.packages.iter().map(|row| row.own)), profile.total);
        prop_assert_eq!(sum(profile.tools.iter().map(|row| row.own)), profile.total);
        for grouping in [Grouping::None, Grouping::Package, Grouping::Tool, Grouping::Process, Grouping::Phase] {
            let options = Options { grouping, ..Options::default() };
            let tree = analysis.call_tree(&options);
            prop_assert_eq!(tree.total(), profile.total);
            prop_assert_eq!(sum(tree.nodes.iter().map(|node| node.own)), profile.total);
            prop_assert_eq!(sum(tree.folded().map(|(_, weight)| weight)), profile.total);
            let paths: HashSet<_> = tree.folded().map(|(path, _)| path).collect();
            prop_assert_eq!(paths.len(), tree.folded().count());
            let mut totals: Vec<Weight> = tree.nodes.iter().map(|node| node.own).collect();
            for index in (1..totals.len()).rev() {
                let above = totals[index];
                totals[tree.nodes[index].parent as usize] += above;
            }
            prop_assert!(tree.nodes.iter().zip(totals).all(|(node, sum)| node.total == sum));
        }
        // The slow way: for each function, every sample whose stack holds it.
        for row in &profile.functions {
            let holds = |stack: StackId| {
                let mut frames = b.trace.stacks.frames(stack);
                frames.any(|frame| {
                    let names = b.trace.symbol(frame).unwrap_or_default();
                    names.iter().any(|at| {
                        let function = &b.trace.functions[at.function.index()];
                        b.trace.text(function.name) == *row.name
                    })
                })
            };
            let slow: u64 = samples
                .iter()
                .filter(|(stack, _, _)| holds(stacks[stack.index(stacks.len())]))
                .map(|(_, _, weight)| weight)
                .sum();
            prop_assert_eq!(row.total.time, ms(slow));
        }
    }
}

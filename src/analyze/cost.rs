//! What each package, tool, action and process cost.
//!
//! CPU times are those that the system counted for the whole process, folded forks included.

use super::{
    Analysis, Filter, Name, Tool,
    build::{ActionIndex, union},
};
use crate::trace::{Nanos, Process, ProcessId, Usage};
use rustc_hash::FxHashMap;
use std::hash::Hash;

/// What a group of processes cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Time during which at least one of the group's programs lived. Programs that overlap,
    /// parents and children among them, count once.
    pub wall: Nanos,
    /// Sum of what the programs used: CPU, memory, faults, I/O.
    pub usage: Usage,
    /// Sum over the programs of the time that no thread of theirs ran or was ready to, and no
    /// child of theirs lived: `wall − wall of children within − CPU − runqueue`, never below
    /// zero. Exact for programs of one thread. Threads that run side by side hide waiting, as a
    /// process's sums do not tell when each of them ran: for programs of several, go's own tools
    /// among them, it is the least that they can have waited, and zero tells nothing. The most
    /// (`wall − the busiest thread`) is not shown: Go moves goroutines between threads, so it
    /// would be large for a program that never waited.
    pub waiting: Nanos,
    /// Number of programs.
    pub processes: u32,
}

impl Cost {
    /// CPU time in user mode and in the kernel.
    #[must_use]
    pub fn cpu(&self) -> Nanos {
        self.usage.cpu()
    }
}

/// One row of a ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct CostRow<K> {
    /// What it is about.
    pub key: K,
    /// What it cost.
    pub cost: Cost,
    /// Its part of the CPU time of all rows, 0 to 1; zero where no CPU time is known.
    pub share: f64,
}

/// An action of one of the builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionRef {
    /// Position in [`super::Builds::builds`].
    pub build: u32,
    /// Position in [`super::Build::actions`].
    pub action: ActionIndex,
}

/// All costs of a trace. Rows are ordered by CPU time, largest first, then by wall time, then
/// by key. Packages, tools and processes each hold every process once; so do actions, but for
/// the processes that belong to none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Costs {
    /// Everything.
    pub total: Cost,
    /// By package of the build; `None` is what works for no package.
    pub packages: Vec<CostRow<Option<Name>>>,
    /// By tool.
    pub tools: Vec<CostRow<Tool>>,
    /// By action, those without a program left out.
    pub actions: Vec<CostRow<ActionRef>>,
    /// By process.
    pub processes: Vec<CostRow<ProcessId>>,
}

impl Costs {
    /// Adds up those of the programs that pass `filter`. A process whose end was not seen lives to the end of the
    /// trace, and its CPU time is not known.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, filter: &Filter) -> Self {
        let takes = |process: &&Process| filter.takes_process(&analysis.roles, process);
        let lives = Lives::of(analysis);
        let mut total = Group::default();
        let mut packages: FxHashMap<Option<Name>, Group> = FxHashMap::default();
        let mut tools: FxHashMap<Tool, Group> = FxHashMap::default();
        let mut processes: FxHashMap<ProcessId, Group> = FxHashMap::default();
        for (id, role) in analysis.roles.iter() {
            let Some(process) = analysis.trace.process(id).filter(takes) else {
                continue;
            };
            let one = lives.cost(process);
            total.add(one);
            packages.entry(role.package.clone()).or_default().add(one);
            tools.entry(role.tool.clone()).or_default().add(one);
            processes.entry(id).or_default().add(one);
        }
        let mut actions: FxHashMap<ActionRef, Group> = FxHashMap::default();
        for (build, graph) in (0..).zip(&analysis.builds.builds) {
            for (action, row) in graph.indexed() {
                let found = row
                    .processes
                    .iter()
                    .filter_map(|&id| analysis.trace.process(id).filter(takes));
                for process in found {
                    let key = ActionRef { build, action };
                    actions.entry(key).or_default().add(lives.cost(process));
                }
            }
        }
        let total = total.cost();
        Self {
            total,
            packages: rows(packages, total),
            tools: rows(tools, total),
            actions: rows(actions, total),
            processes: rows(processes, total),
        }
    }
}

/// One process: its cost and its life.
#[derive(Clone, Copy)]
struct One {
    cost: Cost,
    life: (Nanos, Nanos),
}

/// Sums of several processes.
#[derive(Default)]
struct Group {
    sum: Cost,
    lives: Vec<(Nanos, Nanos)>,
}

impl Group {
    fn add(&mut self, one: One) {
        self.sum.usage.add(&one.cost.usage);
        self.sum.waiting += one.cost.waiting;
        self.sum.processes += 1;
        self.lives.push(one.life);
    }

    fn cost(self) -> Cost {
        Cost {
            wall: union(self.lives),
            ..self.sum
        }
    }
}

/// When each process's children lived.
struct Lives {
    end: Nanos,
    children: FxHashMap<ProcessId, Vec<(Nanos, Nanos)>>,
}

impl Lives {
    fn of(analysis: &Analysis<'_>) -> Self {
        let mut lives = Self {
            end: analysis.end,
            children: FxHashMap::default(),
        };
        for (id, role) in analysis.roles.iter() {
            if let (Some(parent), Some(process)) = (role.parent, analysis.trace.process(id)) {
                let life = lives.of_process(process);
                lives.children.entry(parent).or_default().push(life);
            }
        }
        lives
    }

    fn of_process(&self, process: &Process) -> (Nanos, Nanos) {
        (process.start, process.end_or(self.end))
    }

    fn cost(&self, process: &Process) -> One {
        let (start, end) = self.of_process(process);
        let usage = process.exit.map(|exit| exit.usage).unwrap_or_default();
        let wall = end.since(start);
        let children = self.children.get(&process.id).map_or(Nanos::ZERO, |lives| {
            let within = lives
                .iter()
                .map(|life| (life.0.max(start), life.1.min(end)));
            union(within.filter(|life| life.0 < life.1).collect())
        });
        // Nothing is known of how an unended process spent its time.
        let spent = children + usage.cpu() + usage.runqueue;
        let waiting = process.exit.map_or(Nanos::ZERO, |_| wall.since(spent));
        One {
            cost: Cost {
                wall,
                usage,
                waiting,
                processes: 1,
            },
            life: (start, end),
        }
    }
}

fn rows<K: Ord + Hash>(groups: FxHashMap<K, Group>, total: Cost) -> Vec<CostRow<K>> {
    let all = total.cpu();
    let mut rows: Vec<CostRow<K>> = groups
        .into_iter()
        .map(|(key, group)| {
            let cost = group.cost();
            let share = match all {
                Nanos::ZERO => 0.0,
                all => cost.cpu().seconds() / all.seconds(),
            };
            CostRow { key, cost, share }
        })
        .collect();
    rows.sort_unstable_by(|a, b| {
        let order = |row: &CostRow<K>| (row.cost.cpu(), row.cost.wall);
        order(b).cmp(&order(a)).then_with(|| a.key.cmp(&b.key))
    });
    rows
}

//! Link lines out of a trace of the same build, for logs that show none.

use super::{Link, Log};
use crate::environment::link::Line;
use crate::trace::{ExitStatus, Process, Trace};

/// A program that is started by one that is started, ... has a package so far up.
const FURTHEST: usize = 16;

impl Log {
    /// Adds the link lines of processes that failed, and gives each problem that has none the one of
    /// its package; where one alone failed, that one. Says how many link lines there were.
    pub fn add_recorded(&mut self, trace: &Trace) -> usize {
        let mut failed: Vec<(usize, String)> = Vec::new();
        for process in trace.processes.iter().filter(|process| has_failed(process)) {
            let argv = process.exec.argv.iter();
            let words: Vec<String> = argv.map(|&word| trace.text(word).into_owned()).collect();
            let Some(line) = Line::of(&words) else {
                continue;
            };
            failed.push((self.links.len(), package(trace, process)));
            self.links.push(Link {
                at: 0,
                line,
                text: words.join(" "),
            });
        }
        // A compiler calls a linker, whose line has all that the compiler adds.
        let is_compiler = |(link, _): &(usize, String)| {
            let link = self.links.get(*link);
            link.is_none_or(|link| link.line.is_compiler)
        };
        failed.sort_by_key(is_compiler);
        let packages: Vec<&String> = failed.iter().map(|(_, package)| package).collect();
        let one = packages.windows(2).all(|pair| pair.first() == pair.last());
        for problem in self
            .problems
            .iter_mut()
            .filter(|problem| problem.link.is_none())
        {
            let of_package = failed
                .iter()
                .find(|(_, package)| Some(package) == problem.package.as_ref());
            let only = failed.first().filter(|_| one);
            problem.link = of_package.or(only).map(|(link, _)| *link);
        }
        failed.len()
    }
}

fn has_failed(process: &Process) -> bool {
    let status = process.exit.map(|exit| exit.status);
    !process.own && matches!(status, Some(ExitStatus::Code(1..) | ExitStatus::Signal(_)))
}

/// The package that the go command named for a process or one above it.
fn package(trace: &Trace, process: &Process) -> String {
    let mut process = Some(process);
    for _ in 0..FURTHEST {
        let Some(one) = process else {
            break;
        };
        let package = trace.text(one.exec.package);
        if !package.is_empty() {
            return package.into_owned();
        }
        process = one.parent.and_then(|parent| trace.process(parent));
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::link::Input;
    use crate::trace::{Exit, Nanos, ProcessId, Usage};

    /// A process of a command line, that ended with a code.
    fn process(trace: &mut Trace, command: &str, package: &str, parent: Option<u32>, code: i32) {
        let id = ProcessId(u32::try_from(trace.processes.len()).unwrap());
        let mut process = Process {
            id,
            parent: parent.map(ProcessId),
            exit: Some(Exit {
                at: Nanos(1),
                status: ExitStatus::Code(code),
                usage: Usage::default(),
            }),
            ..Process::default()
        };
        for word in command.split(' ') {
            process.exec.argv.push(trace.strings.push(word.as_bytes()));
        }
        process.exec.package = trace.strings.push(package.as_bytes());
        trace.processes.push(process);
    }

    #[test]
    fn each_package_has_its_own_line() {
        let mut trace = Trace::default();
        process(&mut trace, "go build ./...", "", None, 1);
        process(&mut trace, "link -o a.out a.a", "example.com/a", Some(0), 1);
        process(&mut trace, "gcc -o a.out a.o", "", Some(1), 1);
        process(&mut trace, "ld -o a.out a.o -lc", "", Some(2), 1);
        process(&mut trace, "link -o b.out b.a", "example.com/b", Some(0), 1);
        process(&mut trace, "gcc -o b.out b.o -lz", "", Some(4), 1);
        process(&mut trace, "gcc -o fine c.o", "", Some(0), 0);
        let mut log = Log::read(
            b"# example.com/b\nb.c:1: undefined reference to `y'\n# example.com/a\na.c:1: undefined reference to `x'\n",
        );
        log.add_recorded(&trace);
        assert_eq!(log.links.len(), 3);
        let inputs = |problem: usize| {
            let link = log.problems[problem].link.unwrap();
            log.links[link].line.inputs.last().cloned().unwrap()
        };
        assert_eq!(inputs(0), Input::Library("z".to_owned()));
        assert_eq!(
            inputs(1),
            Input::Library("c".to_owned()),
            "the linker's own line"
        );
    }

    #[test]
    fn one_line_alone_is_that_of_any_package() {
        let mut trace = Trace::default();
        process(&mut trace, "gcc -o a.out a.o", "", None, 1);
        let mut log = Log::read(b"a.c:1: undefined reference to `x'\n");
        log.add_recorded(&trace);
        assert_eq!(log.problems[0].link, Some(0));
        log.add_recorded(&Trace::default());
        assert_eq!(log.links.len(), 1);
    }
}

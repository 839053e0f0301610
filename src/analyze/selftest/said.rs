//! What the programs of `samples/selftest` print: a fact a line, its name and numbers.

use crate::trace::{Goid, Nanos, Pid};

/// Calls of the watched function, with the arguments 1, 2, 3 and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Called {
    /// By which goroutine.
    pub goroutine: Goid,
    /// How many.
    pub times: u64,
}

/// The facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// `pid PID`: its own.
    pub pid: Option<Pid>,
    /// `build NUMBER`: what was compiled into it.
    pub build: Option<String>,
    /// `spun GOROUTINE NANOSECONDS`: CPU time that it used on purpose, as the kernel counts it.
    pub spun: Option<(Goid, Nanos)>,
    /// `waited GOROUTINE NANOSECONDS`.
    pub waited: Option<(Goid, Nanos)>,
    /// `called GOROUTINE TIMES`, by goroutine.
    pub called: Vec<Called>,
    /// `child PID CODE`: what it started, and how that ended.
    pub children: Vec<(Pid, i32)>,
}

impl Said {
    /// Reads what was printed. Lines that say none of this are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut said = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default();
            if name == "build" {
                said.build = words.next().map(str::to_owned);
                continue;
            }
            let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
            let pid = |number: u64| u32::try_from(number).map(Pid).ok();
            match (name, numbers.as_deref()) {
                ("pid", Some(&[number])) => said.pid = pid(number),
                ("spun", Some(&[goroutine, time])) => {
                    said.spun = Some((Goid(goroutine), Nanos(time)));
                }
                ("waited", Some(&[goroutine, time])) => {
                    said.waited = Some((Goid(goroutine), Nanos(time)));
                }
                ("called", Some(&[goroutine, times])) => said.called.push(Called {
                    goroutine: Goid(goroutine),
                    times,
                }),
                ("child", Some(&[child, code])) => {
                    let child = pid(child).zip(i32::try_from(code).ok());
                    said.children.extend(child);
                }
                _ => {}
            }
        }
        said.called.sort_unstable();
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_lines_and_the_rest_is_not() {
        let text = "pid 7\nchild 8 1\nwarning: pid 9\nspun 1 100\ncalled 3 9\ncalled 2 9\nchild x 1\npid\nwaited 4 5\nbuild 12-3\n";
        let said = Said::parse(text);
        assert_eq!(
            said,
            Said {
                pid: Some(Pid(7)),
                build: Some("12-3".to_owned()),
                spun: Some((Goid(1), Nanos(100))),
                waited: Some((Goid(4), Nanos(5))),
                called: [2, 3]
                    .map(|id| Called {
                        goroutine: Goid(id),
                        times: 9
                    })
                    .to_vec(),
                children: vec![(Pid(8), 1)],
            }
        );
    }
}

//! The options that choose samples.

use super::exit::Usage;
use crate::analyze::{Analysis, By, Filter, Roles, Source, Tool};
use crate::trace::{Nanos, Pid, SampleKind};

/// Which programs a view is about, and when.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which programs")]
pub(super) struct Programs {
    /// Only programs that work for the package of this import path
    #[arg(long, value_name = "PATH")]
    package: Option<String>,
    /// Only this tool, as `show --by tool` names it: go, compile, link, asm, cgo, vet, cc (gcc,
    /// g++, clang, clang++ stand for it), cc1, as, ld, ...
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only the programs that ran under this pid
    #[arg(long, value_name = "PID")]
    process: Option<u32>,
    /// Only from this time on: seconds since the start of the trace
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    from: Option<Nanos>,
    /// Only before this time
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    to: Option<Nanos>,
}

/// Which samples a view is about.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which samples")]
pub(super) struct Samples {
    #[command(flatten)]
    programs: Programs,
    /// Time off the CPU instead of time on it (recorded by `run --off-cpu`)
    #[arg(long)]
    off_cpu: bool,
    /// The CPU profiles that the tools made of themselves, instead of samples
    #[arg(long)]
    profiles: bool,
}

impl Programs {
    /// The programs and the time that were asked for.
    ///
    /// # Errors
    ///
    /// When no program of the trace is the tool that was asked for, has the pid, or works for the package, and
    /// when there is no time between those that were given.
    pub(super) fn filter(&self, analysis: &Analysis<'_>) -> Result<Filter, Usage> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            let words = "--to is not after --from: there is no time between them";
            return Err(Usage(words.to_owned()));
        }
        let pid = self.process.map(Pid);
        if let Some(Pid(asked)) = pid
            && !analysis.ran_as(Pid(asked))
        {
            let words = format!("--process {asked}: no program of this trace has that pid");
            return Err(Usage(words));
        }
        if let Some(asked) = &self.package
            && !analysis.roles.work_for(asked)
        {
            let words =
                format!("--package {asked}: no program of this trace works for that package");
            return Err(Usage(words));
        }
        let tool = self
            .tool
            .as_deref()
            .map(|asked| tool(asked, &analysis.roles));
        Ok(Filter {
            pid,
            tool: tool.transpose()?,
            package: self.package.clone(),
            from: self.from,
            to: self.to,
            ..Filter::default()
        })
    }
}

impl Samples {
    /// The samples that were asked for.
    ///
    /// # Errors
    ///
    /// As [`Programs::filter`].
    pub(super) fn filter(&self, analysis: &Analysis<'_>) -> Result<Filter, Usage> {
        Ok(Filter {
            source: if self.profiles {
                Source::Profiles
            } else {
                Source::Any
            },
            kind: self.kind(),
            ..self.programs.filter(analysis)?
        })
    }

    /// Running or waiting.
    pub(super) const fn kind(&self) -> SampleKind {
        match self.off_cpu {
            true => SampleKind::OffCpu,
            false => SampleKind::OnCpu,
        }
    }

    /// Whether a process was chosen by its pid.
    pub(super) const fn names_a_process(&self) -> bool {
        self.programs.process.is_some()
    }

    /// Refuses options that a view would ignore.
    ///
    /// # Errors
    ///
    /// When one was given that chooses programs or samples, and `by`, `None` for the summary, is not about such.
    pub(super) fn only_where_they_choose(&self, by: Option<By>) -> Result<(), Usage> {
        let of_samples = self.first_given_of_samples();
        let (option, what, instead) = match (by, of_samples, self.first_given()) {
            (Some(By::Function | By::Image), ..) => return Ok(()),
            (_, Some(option), _) => (option, "samples", "function or --by image"),
            (Some(By::Package | By::Tool | By::Process | By::Phase), ..) => return Ok(()),
            (_, _, Some(option)) => (
                option,
                "programs",
                "package, tool, process, phase, function or image",
            ),
            _ => return Ok(()),
        };
        let view = by.map_or_else(
            || "a view without --by".to_owned(),
            |by| format!("--by {}", by.name()),
        );
        Err(Usage(format!(
            "{option} chooses {what}, and {view} is not about {what}: use --by {instead}"
        )))
    }

    /// The first option that was given.
    pub(super) fn first_given(&self) -> Option<&'static str> {
        let programs = &self.programs;
        let given = [
            (programs.package.is_some(), "--package"),
            (programs.tool.is_some(), "--tool"),
            (programs.process.is_some(), "--process"),
        ];
        first(given).or(self.first_given_of_samples())
    }

    /// The same of those that do not choose whole programs.
    fn first_given_of_samples(&self) -> Option<&'static str> {
        first([
            (self.programs.from.is_some(), "--from"),
            (self.programs.to.is_some(), "--to"),
        ])
        .or(self.first_given_alone())
    }

    /// The same of those that choose nothing but samples.
    pub(super) fn first_given_alone(&self) -> Option<&'static str> {
        first([(self.off_cpu, "--off-cpu"), (self.profiles, "--profiles")])
    }
}

fn first<const N: usize>(given: [(bool, &'static str); N]) -> Option<&'static str> {
    let mut given = given.into_iter().filter(|(given, _)| *given);
    given.next().map(|(_, option)| option)
}

/// The name of a tool of the trace: as it was given, or that of the tool which is known by the
/// given name, too (`cc` for `gcc`).
fn tool(asked: &str, roles: &Roles) -> Result<String, Usage> {
    let names = roles.tool_names();
    let known = Tool::of_file_name(asked);
    let known = known.as_ref().map(Tool::name);
    let found = [Some(asked), known].into_iter().flatten();
    match found.into_iter().find(|name| names.contains(name)) {
        Some(name) => Ok(name.to_owned()),
        None => Err(Usage(format!(
            "--tool {asked}: no program of this trace is that; its tools: {}",
            names.join(", ")
        ))),
    }
}

fn seconds(text: &str) -> Result<Nanos, String> {
    let seconds = not_negative(text).map_err(|_error| "expected seconds, zero or more")?;
    Ok(Nanos((seconds * 1e9) as u64))
}

/// A number that can be compared with zero, and is not below it.
///
/// # Errors
///
/// When the text is something else.
pub(super) fn not_negative(text: &str) -> Result<f64, &'static str> {
    let number = text.parse().ok();
    let number = number.filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or("expected a number, zero or more")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Exec, Process, ProcessId, Trace};

    #[test]
    fn compilers_of_c_have_one_name() {
        let mut trace = Trace::default();
        for (id, path) in [(0, "/usr/bin/gcc-12"), (1, "/opt/cc1")] {
            let exe = trace.strings.push(path.as_bytes());
            trace.processes.push(Process {
                id: ProcessId(id),
                exec: Exec {
                    exe,
                    ..Exec::default()
                },
                ..Process::default()
            });
        }
        let roles = Roles::of(&trace);
        for asked in ["cc", "gcc", "g++", "clang", "clang++", "c++", "gcc-12"] {
            assert_eq!(tool(asked, &roles).unwrap(), "cc", "{asked}");
        }
        assert_eq!(tool("cc1", &roles).unwrap(), "cc1");
        let refused = tool("ld", &roles).unwrap_err().to_string();
        assert!(refused.ends_with("its tools: cc, cc1"), "{refused}");
    }
}

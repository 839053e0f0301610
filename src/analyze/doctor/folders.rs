//! The build cache, GOCACHEPROG, temporary files.

use super::{Check, Findings, Source, quoted};
use crate::environment::survey::Survey;
use std::path::Path;

/// A build of some size needs as much.
const LEAST_ROOM: u64 = 1 << 30;

pub(super) fn check(survey: &Survey, out: &mut Findings) {
    if survey.asked().is_some() {
        cache(survey, out);
        program(survey, out);
    }
    temporary(survey, out);
}

fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

fn cache(survey: &Survey, out: &mut Findings) {
    let cache = &survey.cache;
    let source = Source::of("GOCACHE", survey);
    let path = cache.folder.path.display().to_string();
    // `go env` calls it off, too.
    let set = survey.variable("GOCACHE");
    if !matches!(set, "" | "off") && !Path::new(set).is_absolute() {
        out.error(
            Check::Cache,
            "GOCACHE is not an absolute path: the go command builds nothing",
        )
        .because(source.evidence("GOCACHE", set, survey))
        .remedy(source.undo("GOCACHE"));
        return;
    }
    let evidence = source.evidence("GOCACHE", &path, survey);
    if path == "off" && source == Source::Default {
        out.error(
            Check::Cache,
            "the go command finds no place for its build cache, and builds nothing without one",
        )
        .because("neither HOME nor XDG_CACHE_HOME is set")
        .remedy("export GOCACHE=\"$(mktemp -d)\"");
        return;
    }
    if path == "off" {
        out.error(
            Check::Cache,
            "the build cache is off, and Go builds nothing without one",
        )
        .because(evidence)
        .remedy(source.undo("GOCACHE"));
        return;
    }
    if let Some(why) = &cache.folder.refusal {
        let remedy = match (source, cache.folder.exists) {
            (Source::Default, true) => own(&path),
            (Source::Default, false) => "export GOCACHE=\"$(mktemp -d)\"".to_owned(),
            (source, _) => source.undo("GOCACHE"),
        };
        out.error(
            Check::Cache,
            "the build cache cannot be written to: builds fail",
        )
        .because(format!("{evidence}; {why}"))
        .remedy(remedy);
        return;
    }
    let before = out.0.len();
    if let Some((file, owner)) = &cache.foreign {
        out.warning(Check::Cache, format!("files in the build cache belong to user {owner}, as after a go build by sudo: they cannot be trimmed or replaced"))
            .because(file.display().to_string())
            .remedy(own(&path));
    }
    if let Some(free) = cache.folder.free_bytes.filter(|free| *free < LEAST_ROOM) {
        out.warning(
            Check::Cache,
            format!("{} are left for the build cache", size(free)),
        )
        .because(evidence)
        .remedy("go clean -cache");
    }
    if out.0.len() == before {
        let free = cache
            .folder
            .free_bytes
            .map_or_else(String::new, |free| format!(", {} free", size(free)));
        let full = match cache.files {
            0 => "empty: the next build compiles all that it needs".to_owned(),
            files => format!("about {files} files, {}", size(cache.bytes)),
        };
        out.ok(Check::Cache, format!("{path}: {full}{free}"));
    }
}

fn program(survey: &Survey, out: &mut Findings) {
    let source = Source::of("GOCACHEPROG", survey);
    match &survey.cache.program {
        None => {
            out.ok(
                Check::CacheProgram,
                "none: the go command keeps the cache itself",
            );
        }
        Some((name, None)) => {
            out.error(
                Check::CacheProgram,
                format!("{name} is not there: builds fail"),
            )
            .because(source.evidence("GOCACHEPROG", name, survey))
            .remedy(source.undo("GOCACHEPROG"));
        }
        Some((name, Some(path))) => {
            out.note(
                Check::CacheProgram,
                format!(
                    "{} keeps the cache: what it takes is a part of each build",
                    path.display()
                ),
            )
            .because(source.evidence("GOCACHEPROG", name, survey));
        }
    }
}

fn temporary(survey: &Survey, out: &mut Findings) {
    let folder = &survey.temporary;
    let path = folder.path.display().to_string();
    let name = if survey.variable("GOTMPDIR").is_empty() {
        "TMPDIR"
    } else {
        "GOTMPDIR"
    };
    let source = Source::of(name, survey);
    let evidence = source.evidence(name, &path, survey);
    if !folder.exists || folder.refusal.is_some() {
        let why = folder
            .refusal
            .clone()
            .unwrap_or_else(|| format!("{path} is not there"));
        let remedy = match (source, folder.exists) {
            (Source::Default, _) => "sudo install -d -m 1777 /tmp".to_owned(),
            (_, false) => format!("mkdir -p {}", quoted(&path)),
            (source, true) => source.undo(name),
        };
        out.error(
            Check::Temporary,
            "no temporary files can be made: builds fail",
        )
        .because(format!("{evidence}; {why}"))
        .remedy(remedy);
        return;
    }
    if folder.without_programs {
        out.warning(Check::Temporary, format!("programs in {path} cannot be run: go run and go test fail with \"permission denied\""))
            .because(format!("{evidence}; it is mounted noexec"))
            .remedy("mkdir -p \"$HOME/tmp\" && export GOTMPDIR=\"$HOME/tmp\"");
        return;
    }
    match folder.free_bytes {
        Some(free) if free < LEAST_ROOM => {
            out.warning(
                Check::Temporary,
                format!("{} are left in {path}", size(free)),
            )
            .because(evidence)
            .remedy(format!("df -h {}", quoted(&path)));
        }
        free => {
            let free = free.map_or_else(String::new, |free| format!(", {} free", size(free)));
            out.ok(Check::Temporary, format!("{path}{free}"));
        }
    }
}

/// The command that gives a folder back to the user.
fn own(path: &str) -> String {
    format!("sudo chown -R \"$(id -u):$(id -g)\" {}", quoted(path))
}

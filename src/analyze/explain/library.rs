//! Libraries that were not found, and files that were for another architecture.

use super::inquiry::{About, Here, Inquiry};
use super::log::{Log, What, without_member};
use super::undefined::{as_flag, for_other_arch, to_link};
use super::{Cause, Diagnosis, Level, Note, Program, Remedy, Witness, known};
use crate::binary::linkable::{Arch, Format};
use crate::environment::link::{Elsewhere, Found, Input};

/// Libraries that the linker did not find.
pub(super) fn judge(about: &About<'_>) -> Vec<Diagnosis> {
    let numbers = about.inquiry.of_libraries.iter();
    let libraries = about
        .inquiry
        .libraries
        .iter()
        .zip(numbers)
        .zip(&about.survey.libraries);
    let judged = libraries.filter_map(|((input, &number), files)| {
        let problem = about.problem(number)?;
        let mut diagnosis = Diagnosis {
            arch: about.inquiry.arch.clone(),
            subject: Some(as_flag(input)),
            ..Diagnosis::new(Level::Error, Cause::LibraryMissing, problem)
        };
        // What the linker passed over was of that name, and for another architecture.
        if let Some((path, archs)) = passed_over(about, input) {
            let (remedies, notes) = for_other_arch(&path, &archs, about.inquiry.arch.as_ref());
            diagnosis.cause = Cause::WrongSlice;
            diagnosis
                .witnesses
                .push(Witness::named(&path, archs, Some(input.clone())));
            diagnosis.remedies = remedies;
            diagnosis.notes = notes;
            return Some(diagnosis);
        }
        judge_one(about, input, files, &mut diagnosis);
        let absent = about.survey.absent.iter().cloned();
        diagnosis.notes.extend(absent.map(Note::NoFolder));
        Some(diagnosis)
    });
    judged.collect()
}

fn judge_one(about: &About<'_>, input: &Input, files: &[Elsewhere], diagnosis: &mut Diagnosis) {
    let arch = about.inquiry.arch.as_ref();
    let fits = |one: &&Elsewhere| one.found.parts_for(arch).next().is_some();
    let linkable = files.iter().filter(|one| one.input.is_some());
    let best = linkable
        .clone()
        .find(fits)
        .or_else(|| files.iter().find(fits));
    diagnosis.witnesses = files
        .iter()
        .take(4)
        .map(|one| Witness {
            kind: one.found.content.as_ref().ok().map(|content| content.kind),
            unread: one.found.content.as_ref().err().cloned(),
            ..Witness::named(
                &one.found.path.display().to_string(),
                one.found.archs(),
                None,
            )
        })
        .collect();
    if let Some(best) = best {
        diagnosis.remedies = to_link(best);
        return;
    }
    if let Some(other) = files.first() {
        let path = other.found.path.display().to_string();
        let (remedies, notes) = for_other_arch(&path, &other.found.archs(), arch);
        diagnosis.cause = Cause::WrongSlice;
        diagnosis.remedies = remedies;
        diagnosis.notes.extend(notes);
        return;
    }
    let macho = about.inquiry.format == Format::MachO;
    if let Input::Library(name) = input {
        if macho && known::is_of_macos(name) {
            diagnosis
                .notes
                .extend(about.survey.sdk.is_none().then_some(Note::NoSdk));
            diagnosis
                .remedies
                .push(Remedy::GiveSdk(format!("lib{name}")));
            return;
        }
        diagnosis.remedies.push(Remedy::Install {
            library: format!("lib{name}"),
            package: known::package(name).filter(|_| !macho),
        });
    }
    if macho && about.survey.sdk.is_none() {
        diagnosis.notes.push(Note::NoSdk);
    }
}

/// The file that GNU ld skipped when it looked for a library; its architectures are known where the
/// file was read.
fn passed_over(about: &About<'_>, input: &Input) -> Option<(String, Vec<Arch>)> {
    let mut of_line = about
        .log
        .problems
        .iter()
        .filter(|one| one.link == about.inquiry.link);
    let Input::Library(name) = input else {
        return None;
    };
    let path = of_line.find_map(|problem| match &problem.what {
        What::WrongFile { path, .. } => {
            let path = without_member(path);
            let file = path.rsplit('/').next().unwrap_or(path);
            let rest = file.strip_prefix("lib")?.strip_prefix(name.as_str())?;
            rest.starts_with('.').then(|| path.to_owned())
        }
        _ => None,
    })?;
    let mut read = about
        .survey
        .inputs
        .iter()
        .flat_map(|one| one.files.iter().chain(&one.hidden));
    let archs = read.find(|found| found.path.as_os_str() == path.as_str());
    Some((path, archs.map(Found::archs).unwrap_or_default()))
}

/// Files for another architecture that no undefined symbol was blamed on: the linker ended there,
/// or passed them over, and it is not known whether that did harm.
pub(super) fn wrong_files(
    log: &Log,
    inquiries: &[Inquiry],
    programs: &[Program],
    blamed: &[String],
    here: &Here,
) -> Vec<Diagnosis> {
    let mut found: Vec<Diagnosis> = Vec::new();
    for problem in &log.problems {
        let What::WrongFile {
            path,
            found: archs,
            required,
            fatal,
        } = &problem.what
        else {
            continue;
        };
        let path = without_member(path);
        let inquiry = inquiries.iter().find(|one| one.link == problem.link);
        // GNU ld says what it skips before it says what it did not find.
        let missing = inquiry.is_some_and(|one| !one.libraries.is_empty() && !fatal);
        let known = found.iter().any(|one| one.subject.as_deref() == Some(path));
        if missing || known || blamed.iter().any(|one| one == path) {
            continue;
        }
        let program = programs.iter().find(|program| program.path == path);
        let read = program.map(|program| program.archs.clone());
        let archs = read
            .filter(|read| !read.is_empty())
            .unwrap_or_else(|| archs.clone());
        let line = problem.link.and_then(|link| log.links.get(link));
        let wanted = required
            .clone()
            .or_else(|| line.and_then(|link| link.line.arch.clone()));
        let wanted = wanted.or_else(|| inquiry.and_then(|one| one.arch.clone()));
        // GNU's linkers that are not told build for their own machine.
        let elf = here.format == Format::Elf && path_is_of_elf(program);
        let wanted = wanted.or_else(|| elf.then(|| here.arch.clone()));
        let (remedies, notes) = for_other_arch(path, &archs, wanted.as_ref());
        let level = if *fatal { Level::Error } else { Level::Warning };
        found.push(Diagnosis {
            arch: wanted,
            subject: Some(path.to_owned()),
            witnesses: vec![Witness::named(path, archs, None)],
            notes,
            remedies,
            ..Diagnosis::new(level, Cause::WrongSlice, problem)
        });
    }
    found
}

fn path_is_of_elf(program: Option<&Program>) -> bool {
    program.is_none_or(|program| program.format != Some(Format::MachO))
}

//! The images of a running process, each with where it is.

use crate::analyze::Inspection;
use crate::analyze::inspect::placement::Shown;
use crate::analyze::inspect::symbols::Asked;
use crate::environment::Refusal;
use crate::environment::mappings::{MappedFile, Mapping, mapped_files};
use crate::symbolize::Contents;
use crate::trace::Avma;
use std::path::{Path, PathBuf};

/// A file that a process has mapped and that is an executable or a library.
pub(super) struct Image {
    pub(super) path: PathBuf,
    pub(super) contents: Contents,
    pub(super) shown: Vec<Shown>,
}

/// The images of a process: all of them, or those of `files`; where addresses are asked for, those
/// that hold one. With it, what could not be read.
pub(super) fn images(
    pid: u32,
    files: &[PathBuf],
    asked: &[Asked],
) -> Result<(Vec<Image>, Vec<String>), Refusal> {
    let mut images = Vec::new();
    let mut unread = Vec::new();
    for file in mapped_files(pid)? {
        // Data that is mapped is no image: code is what somebody may run.
        let code = file.mappings.iter().any(|one| one.protection.contains('x'));
        let named = files.is_empty() || files.iter().any(|path| is(path, &file.path));
        if !named || files.is_empty() && !code || !holds(&file.mappings, asked) {
            continue;
        }
        match file.open(pid).and_then(|opened| Contents::map(&opened)) {
            Ok(contents) => images.push(image(file, contents)),
            Err(error) => unread.push(format!("{}: {error}", file.path.display())),
        }
    }
    for path in files {
        if !images.iter().any(|image| is(path, &image.path)) {
            unread.push(format!(
                "{}: process {pid} has not mapped it",
                path.display()
            ));
        }
    }
    Ok((images, unread))
}

fn is(path: &Path, mapped: &Path) -> bool {
    path == mapped || path.canonicalize().is_ok_and(|path| path == mapped)
}

fn holds(mappings: &[Mapping], asked: &[Asked]) -> bool {
    asked.is_empty()
        || asked.iter().any(|asked| match asked {
            Asked::Name(_) => true,
            Asked::Address(address) => mappings
                .iter()
                .any(|one| one.start <= *address && *address < one.end),
        })
}

fn image(file: MappedFile, contents: Contents) -> Image {
    // What nobody may touch keeps a gap between segments.
    let open = file
        .mappings
        .iter()
        .filter(|one| !one.protection.starts_with("---"));
    let shown = open.map(|one| Shown {
        start: Avma(one.start),
        size: one.end.saturating_sub(one.start),
        offset: one.offset,
        executable: one.protection.contains('x'),
    });
    Image {
        shown: shown.collect(),
        path: file.path,
        contents,
    }
}

impl Image {
    /// Says where it is.
    pub(super) fn place(&self, inspection: &mut Inspection) {
        inspection.place(|stated| stated.shown(&self.shown));
    }
}

//! Which file a `-l` or a framework is.

use super::files::Files;
use super::line::{Input, Line};
use crate::binary::linkable::Format;
use std::path::{Path, PathBuf};

/// What a search needs to know.
pub(super) struct Search<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) line: &'a Line,
    pub(super) format: Format,
    pub(super) folders: &'a [PathBuf],
    pub(super) frameworks: &'a [PathBuf],
}

impl Search<'_> {
    /// All files that an input could be, in the order in which linkers look.
    pub(super) fn candidates(&self, input: &Input) -> Vec<PathBuf> {
        match input {
            Input::File(path) => vec![path.clone()],
            Input::Library(name) => self.of_library(name),
            Input::Framework(name) => self.of_framework(name),
        }
    }

    fn of_library(&self, name: &str) -> Vec<PathBuf> {
        let names: Vec<String> = match (name.strip_prefix(':'), self.format) {
            (Some(file), _) => vec![file.to_owned()],
            (None, _) if self.line.is_static => vec![format!("lib{name}.a")],
            (None, Format::Elf) => vec![format!("lib{name}.so"), format!("lib{name}.a")],
            (None, Format::MachO) => ["tbd", "dylib", "so", "a"]
                .map(|extension| format!("lib{name}.{extension}"))
                .into(),
        };
        let paths = self.folders.iter().flat_map(|folder| {
            let names = names.iter();
            names.map(|name| folder.join(name))
        });
        paths
            .filter(|path| self.files.size(path).is_some())
            .collect()
    }

    fn of_framework(&self, name: &str) -> Vec<PathBuf> {
        let paths = self.frameworks.iter().flat_map(|folder| {
            let framework = folder.join(format!("{name}.framework"));
            [framework.join(format!("{name}.tbd")), framework.join(name)]
        });
        paths
            .filter(|path| self.files.size(path).is_some())
            .collect()
    }

    /// A library by the name that programs load it by, in the SDK: `/usr/lib/libz.1.dylib` is
    /// `libz.1.tbd` there.
    pub(super) fn by_own_name(&self, name: &str, sdk: Option<&Path>) -> Option<PathBuf> {
        let path = Path::new(name);
        let places = sdk.map(|sdk| super::folders::under(sdk, path));
        let places = places.into_iter().chain([path.to_owned()]);
        let named = places.flat_map(|place| {
            let stub = match place.extension() {
                Some(extension) if extension == "dylib" => place.with_extension("tbd"),
                // A framework's library has no extension.
                _ => {
                    let mut stub = place.clone().into_os_string();
                    stub.push(".tbd");
                    stub.into()
                }
            };
            [stub, place]
        });
        let mut there = named.filter(|path| self.files.size(path).is_some());
        there.next()
    }
}

/// The name that `-l` would have for a file: `z` for `libz.so`, `libz.tbd`, `libz.1.dylib`.
pub(super) fn library_name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let bare = file.strip_prefix("lib")?;
    let cut = [".tbd", ".dylib", ".so", ".a"];
    let end = cut.iter().filter_map(|one| bare.find(one)).min()?;
    Some(bare.get(..end)?.to_owned())
}

/// Whether `-lNAME` finds a file of that name: `libz.so` and not `libz.so.1`.
pub(super) fn is_linkable(path: &Path, name: &str) -> bool {
    let file = path.file_name().and_then(|file| file.to_str());
    let rest = file.and_then(|file| file.strip_prefix("lib")?.strip_prefix(name));
    matches!(rest, Some(".tbd" | ".dylib" | ".so" | ".a"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_by_what_l_would_find() {
        let name = |path: &str| library_name(Path::new(path));
        assert_eq!(name("/usr/lib/libz.so.1.2.13").as_deref(), Some("z"));
        assert_eq!(name("libstdc++.a").as_deref(), Some("stdc++"));
        assert_eq!(name("libz.1.dylib").as_deref(), Some("z.1"));
        assert_eq!(name("crt1.o"), None);
        assert!(is_linkable(Path::new("/x/libz.so"), "z"));
        assert!(!is_linkable(Path::new("/x/libz.so.1"), "z"));
        assert!(is_linkable(Path::new("/x/libz.1.dylib"), "z.1"));
    }
}

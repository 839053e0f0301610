//! Follows a link line to its files, and looks elsewhere for what they lack.

use super::files::Files;
use super::folders;
use super::line::{Input, Line};
use super::search::{self, Search};
use crate::binary::linkable::{Arch, Format, Has, Kind, Linkable, Wanted};
use std::path::{Path, PathBuf};

/// Re-exports and scripts are followed so far.
const DEEPEST: usize = 8;
/// As many bytes are looked through in folders that are not on the line, and no more.
const MOST_ELSEWHERE: u64 = 2 << 30;
/// So many libraries elsewhere are kept for a symbol.
const MOST_FOUND: usize = 40;

/// What is asked of a link line.
#[derive(Debug)]
pub struct Question<'a> {
    /// The line.
    pub line: &'a Line,
    /// What it links for.
    pub format: Format,
    /// For which architecture, where that is known.
    pub arch: Option<Arch>,
    /// Symbols that were not found, as messages have them.
    pub symbols: &'a [String],
    /// Libraries that were not found.
    pub libraries: &'a [Input],
    /// The value of `SDKROOT`, where it is set.
    pub sdk: Option<&'a Path>,
}

/// A file and what a linker sees of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it, or why that is not known.
    pub content: Result<Linkable, String>,
}

impl Found {
    /// Whether it has the symbol of a number for an architecture; for any, where that is not known.
    #[must_use]
    pub fn defines(&self, symbol: usize, arch: Option<&Arch>) -> bool {
        self.parts_for(arch)
            .any(|part| part.has(symbol) == Some(&Has::Defined))
    }

    /// Its parts that an architecture can use.
    pub fn parts_for<'a>(
        &'a self,
        arch: Option<&'a Arch>,
    ) -> impl Iterator<Item = &'a crate::binary::linkable::Part> {
        let content = self.content.as_ref().ok();
        let stub = content.is_some_and(|content| matches!(content.kind, Kind::Stub(_)));
        let parts = content.map_or(&[][..], |content| &content.parts);
        parts
            .iter()
            .filter(move |part| arch.is_none_or(|arch| part.arch.serves(arch, stub)))
    }

    /// The architectures that it has parts for.
    #[must_use]
    pub fn archs(&self) -> Vec<Arch> {
        let parts = self
            .content
            .as_ref()
            .map_or(&[][..], |content| &content.parts);
        let mut archs: Vec<Arch> = Vec::new();
        for part in parts {
            if !archs.contains(&part.arch) {
                archs.push(part.arch.clone());
            }
        }
        archs
    }
}

/// What an input of the line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// As it is on the line.
    pub input: Input,
    /// It is not on the line: the compiler adds it.
    pub implied: bool,
    /// The file that the linker takes, and behind it those that this one leads to; none where there
    /// is no file.
    pub files: Vec<Found>,
    /// Files of the same name further on in the search.
    pub hidden: Vec<Found>,
}

/// A library that is not on the line, and has something that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The file.
    pub found: Found,
    /// What would link it: `-lz`, `-framework Security`; none for a file that `-l` does not find.
    pub input: Option<Input>,
    /// The folder that is to be named on the line for that, where it is not searched yet.
    pub folder: Option<PathBuf>,
}

/// What a link line leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// What it links, in order.
    pub inputs: Vec<Resolved>,
    /// Who else has symbols that the inputs lack.
    pub elsewhere: Vec<Elsewhere>,
    /// Files that missing libraries could be, in the order of the question.
    pub libraries: Vec<Vec<Elsewhere>>,
    /// The folders that are searched for `-l`.
    pub folders: Vec<PathBuf>,
    /// Those of them that the line names and that are not there.
    pub absent: Vec<PathBuf>,
    /// The SDK, for macOS.
    pub sdk: Option<PathBuf>,
    /// How many files elsewhere were looked through.
    pub looked_through: usize,
    /// How many were not, for they are too many bytes.
    pub left_out: usize,
}

/// Follows a link line.
#[must_use]
pub fn survey(question: &Question<'_>, files: &dyn Files) -> Survey {
    let (line, format) = (question.line, question.format);
    let sdk = match format {
        Format::MachO => folders::sdk(line, question.sdk, files),
        Format::Elf => None,
    };
    let searched = folders::searched(line, format, question.arch.as_ref(), sdk.as_deref(), files);
    let frameworks = folders::frameworks(line, sdk.as_deref());
    let symbols = question.symbols.iter().map(String::as_str);
    let surveyor = Surveyor {
        search: Search {
            files,
            line,
            format,
            folders: &searched,
            frameworks: &frameworks,
        },
        wanted: Wanted::new(symbols, format == Format::MachO).since(line.minimum.as_deref()),
        arch: question.arch.as_ref(),
        sdk: sdk.as_deref(),
    };
    let mut inputs: Vec<Resolved> = Vec::new();
    let implied = implied(line, format).into_iter().map(|input| (input, true));
    let named = line.inputs.iter().map(|input| (input.clone(), false));
    for (input, implied) in named.chain(implied) {
        if inputs.iter().all(|known| known.input != input) {
            inputs.push(surveyor.resolve(input, implied));
        }
    }
    let mut found = Survey {
        absent: line
            .folders
            .iter()
            .filter(|folder| files.list(folder).is_empty())
            .cloned()
            .collect(),
        inputs,
        ..Survey::default()
    };
    surveyor.look_elsewhere(question, &mut found);
    found.folders = searched;
    found.sdk = sdk;
    found
}

/// What compilers link without being told.
fn implied(line: &Line, format: Format) -> Vec<Input> {
    if !line.is_compiler {
        return Vec::new();
    }
    let names: &[&str] = match (format, line.is_cpp) {
        (Format::MachO, true) => &["System", "c++"],
        (Format::MachO, false) => &["System"],
        (Format::Elf, true) => &["stdc++", "m", "gcc_s", "gcc", "c"],
        (Format::Elf, false) => &["gcc", "gcc_s", "c"],
    };
    names
        .iter()
        .map(|&name| Input::Library(name.to_owned()))
        .collect()
}

struct Surveyor<'a> {
    search: Search<'a>,
    wanted: Wanted,
    arch: Option<&'a Arch>,
    sdk: Option<&'a Path>,
}

impl Surveyor<'_> {
    fn resolve(&self, input: Input, implied: bool) -> Resolved {
        let mut candidates: Vec<Found> = self
            .search
            .candidates(&input)
            .into_iter()
            .map(|path| self.look(path))
            .collect();
        // GNU's linkers go on where a file is of another architecture.
        let taken = match (self.search.format, &input) {
            (Format::Elf, Input::Library(_)) => {
                candidates.iter().position(|found| self.fits(found))
            }
            _ => None,
        };
        let taken = taken.unwrap_or(0);
        let hidden = if taken < candidates.len() {
            let first = candidates.remove(taken);
            std::mem::replace(&mut candidates, vec![first])
        } else {
            Vec::new()
        };
        let mut files = candidates;
        self.follow(&mut files);
        // A file that cannot be read is shown by its own error.
        if files.len() == 1 && matches!(input, Input::File(_)) && self.is_absent(&files) {
            files.clear();
        }
        Resolved {
            input,
            implied,
            files,
            hidden,
        }
    }

    fn is_absent(&self, files: &[Found]) -> bool {
        let mut paths = files.iter().map(|found| &found.path);
        paths.all(|path| self.search.files.size(path).is_none())
    }

    fn fits(&self, found: &Found) -> bool {
        let script = matches!(&found.content, Ok(content) if content.kind == Kind::Script);
        script || found.parts_for(self.arch).next().is_some()
    }

    fn look(&self, path: PathBuf) -> Found {
        let content = match self.search.files.read(&path) {
            Ok(data) => Linkable::of(&data, &self.wanted).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        Found { path, content }
    }

    /// Appends what files lead to: what they re-export, what scripts name.
    fn follow(&self, files: &mut Vec<Found>) {
        let mut new = 0..files.len();
        for _ in 0..DEEPEST {
            let contents = files.get(new.clone()).unwrap_or_default().iter();
            let leads = contents.filter_map(|found| found.content.as_ref().ok());
            let paths: Vec<PathBuf> = leads.flat_map(|content| self.leads(content)).collect();
            for path in paths {
                if files.iter().all(|known| known.path != path) {
                    files.push(self.look(path));
                }
            }
            new = new.end..files.len();
        }
    }

    fn leads(&self, content: &Linkable) -> Vec<PathBuf> {
        let reexported = content.reexported.iter();
        let mut paths: Vec<PathBuf> = reexported
            .filter_map(|(_, name)| self.search.by_own_name(name, self.sdk))
            .collect();
        for name in &content.names {
            let input = match name.strip_prefix("-l") {
                Some(name) => Input::Library(name.to_owned()),
                None if name.contains('/') => Input::File(name.into()),
                None => Input::Library(format!(":{name}")),
            };
            paths.extend(self.search.candidates(&input).into_iter().next());
        }
        paths
    }

    fn look_elsewhere(&self, question: &Question<'_>, survey: &mut Survey) {
        let lacking: Vec<usize> = (0..question.symbols.len())
            .filter(|&symbol| {
                let files = survey.inputs.iter().flat_map(|input| &input.files);
                !files
                    .into_iter()
                    .any(|found| found.defines(symbol, self.arch))
            })
            .collect();
        survey.libraries = vec![Vec::new(); question.libraries.len()];
        if lacking.is_empty() && question.libraries.is_empty() {
            return;
        }
        let mut bytes = 0;
        for path in self.places(&survey.inputs) {
            for (input, found) in question.libraries.iter().zip(&mut survey.libraries) {
                if is_called(&path, input) {
                    found.push(self.elsewhere(self.look(path.clone())));
                }
            }
            if lacking.is_empty() || survey.elsewhere.len() >= MOST_FOUND {
                continue;
            }
            let size = self.search.files.size(&path).unwrap_or(0);
            if bytes + size > MOST_ELSEWHERE {
                survey.left_out += 1;
                continue;
            }
            bytes += size;
            survey.looked_through += 1;
            let Ok(data) = self.search.files.read(&path) else {
                continue;
            };
            // A script names who may have it.
            let script = size <= Linkable::LARGEST_SCRIPT;
            if !script && !self.wanted.may_be_in(&data) {
                continue;
            }
            let content = Linkable::of(&data, &self.wanted).map_err(|error| error.to_string());
            let named = self.elsewhere(Found { path, content });
            let mut files = vec![named.found];
            self.follow(&mut files);
            let has = |found: &Found| {
                let mut lacking = lacking.iter();
                lacking.any(|&symbol| found.defines(symbol, None))
            };
            let first = files.iter().position(has);
            if let Some(found) = first.map(|at| files.swap_remove(at)) {
                // Both a script and `-l` may lead to a file.
                let known = survey
                    .elsewhere
                    .iter()
                    .position(|one| one.found.path == found.path);
                match known {
                    Some(_) if first != Some(0) => continue,
                    Some(known) => drop(survey.elsewhere.remove(known)),
                    None => {}
                }
                survey.elsewhere.push(Elsewhere {
                    found,
                    input: named.input,
                    folder: named.folder,
                });
            }
        }
    }

    /// Libraries that the line could name and does not: what can be linked first, one file of a
    /// name in a folder.
    fn places(&self, inputs: &[Resolved]) -> Vec<PathBuf> {
        let files = self.search.files;
        let mut folders = self.search.folders.to_vec();
        folders.extend(folders::elsewhere(self.search.format, files));
        let used = |path: &PathBuf| {
            let mut known = inputs.iter().flat_map(|input| &input.files);
            known.any(|found| found.path == *path)
        };
        let mut places: Vec<PathBuf> = Vec::new();
        let mut once: Vec<PathBuf> = Vec::new();
        for folder in &folders {
            let identity = files.identity(folder);
            if once.contains(&identity) {
                continue;
            }
            once.push(identity);
            let mut names: Vec<String> = Vec::new();
            let mut paths = files.list(folder);
            paths.sort_by_key(|path| (order(path), path.clone()));
            for path in paths {
                let Some(name) = search::library_name(&path) else {
                    continue;
                };
                if used(&path) {
                    names.push(name);
                } else if !names.contains(&name) && files.size(&path).is_some() {
                    names.push(name);
                    places.push(path);
                }
            }
        }
        for folder in self.search.frameworks {
            for framework in files.list(folder) {
                if let Some(name) = framework.file_stem().and_then(|name| name.to_str()) {
                    let input = Input::Framework(name.to_owned());
                    places.extend(self.search.candidates(&input).into_iter().next());
                }
            }
        }
        places
    }

    fn elsewhere(&self, found: Found) -> Elsewhere {
        let named = Elsewhere::named(found.path.clone(), self.search.folders);
        Elsewhere { found, ..named }
    }
}

impl Elsewhere {
    /// A library of which only the path is known, and the folders that are searched.
    #[must_use]
    pub fn named(path: PathBuf, searched: &[PathBuf]) -> Self {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let framework = parent.extension().is_some_and(|name| name == "framework");
        let name = search::library_name(&path);
        let input = if framework {
            let name = parent.file_stem().unwrap_or_default().to_string_lossy();
            Some(Input::Framework(name.into_owned()))
        } else {
            name.filter(|name| search::is_linkable(&path, name))
                .map(Input::Library)
        };
        let is_searched = framework || searched.iter().any(|folder| folder == parent);
        Self {
            input,
            folder: (!is_searched).then(|| parent.to_owned()),
            found: Found {
                path,
                content: Err("not read".to_owned()),
            },
        }
    }
}

/// What can be linked comes before what only programs load, shared before static.
fn order(path: &Path) -> u8 {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("tbd") => 0,
        Some("dylib" | "so") => 1,
        Some("a") => 2,
        _ => 3,
    }
}

/// Whether a file could be the library that was not found.
fn is_called(path: &Path, input: &Input) -> bool {
    match input {
        Input::Library(name) => search::library_name(path).is_some_and(|found| {
            let rest = found.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }),
        Input::Framework(name) => path.file_stem().is_some_and(|stem| stem == name.as_str()),
        Input::File(file) => path.file_name() == file.file_name(),
    }
}

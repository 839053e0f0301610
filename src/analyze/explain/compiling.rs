//! Builds that fail before anything is linked: compilers that are not there or are for another
//! target, headers that are not found, packages of which no file is left.

use super::log::{Problem, What};
use super::{Answers, Cause, Diagnosis, Here, Level, Note, Remedy, Witness};
use crate::binary::linkable::{Arch, Format};

/// Files of a package that are named, with their constraints.
const MOST_FILES: usize = 4;

/// Judges a problem, if it is one of these.
pub(super) fn judge(problem: &Problem, answers: &Answers, here: &Here) -> Option<Diagnosis> {
    let new = |cause| Diagnosis::new(Level::Error, cause, problem);
    Some(match &problem.what {
        What::NoCompiler(name) => Diagnosis {
            subject: Some(name.clone()),
            remedies: vec![match here.format {
                Format::MachO => Remedy::Run("xcode-select --install".to_owned()),
                Format::Elf => Remedy::Install {
                    library: name.clone(),
                    package: (name == "gcc").then_some("gcc"),
                },
            }],
            ..new(Cause::CompilerMissing)
        },
        What::NoHeader { header, place } => no_header(
            Diagnosis {
                subject: Some(header.clone()),
                notes: vec![Note::At(place.clone())],
                ..new(Cause::HeaderMissing)
            },
            header,
            answers,
            here,
        ),
        What::OtherTarget {
            compiler,
            format,
            arch,
            message,
        } => Diagnosis {
            subject: compiler.clone(),
            notes: vec![Note::Message(message.clone())],
            remedies: compilers(*format, arch.as_ref(), here),
            arch: arch.clone(),
            ..new(Cause::OtherTarget)
        },
        What::NoFiles { package, folder } => {
            let package = Some(package.clone()).filter(|name| !name.is_empty());
            let diagnosis = Diagnosis {
                package: package.or_else(|| problem.package.clone()),
                subject: Some(folder.clone()),
                ..new(Cause::FilesExcluded)
            };
            no_files(diagnosis, folder, answers)
        }
        _ => return None,
    })
}

/// Headers, and Debian's packages that have them; a `/` at the end stands for a folder of headers.
const HEADERS: [(&str, &str); 27] = [
    ("zlib.h", "zlib1g-dev"),
    ("bzlib.h", "libbz2-dev"),
    ("lzma.h", "liblzma-dev"),
    ("zstd.h", "libzstd-dev"),
    ("sqlite3.h", "libsqlite3-dev"),
    ("curl/", "libcurl4-openssl-dev"),
    ("openssl/", "libssl-dev"),
    ("pcap.h", "libpcap-dev"),
    ("pcap/", "libpcap-dev"),
    ("ncurses.h", "libncurses-dev"),
    ("curses.h", "libncurses-dev"),
    ("libxml/", "libxml2-dev"),
    ("seccomp.h", "libseccomp-dev"),
    ("gpgme.h", "libgpgme-dev"),
    ("systemd/", "libsystemd-dev"),
    ("btrfs/", "libbtrfs-dev"),
    ("libdevmapper.h", "libdevmapper-dev"),
    ("alsa/", "libasound2-dev"),
    ("GL/", "libgl-dev"),
    ("X11/Xlib.h", "libx11-dev"),
    ("X11/Xcursor/", "libxcursor-dev"),
    ("X11/extensions/Xrandr.h", "libxrandr-dev"),
    ("SDL2/", "libsdl2-dev"),
    ("git2.h", "libgit2-dev"),
    ("stdlib.h", "libc6-dev"),
    ("stdio.h", "libc6-dev"),
    ("errno.h", "libc6-dev"),
];

fn no_header(mut diagnosis: Diagnosis, header: &str, answers: &Answers, here: &Here) -> Diagnosis {
    let found = answers.headers.iter().find(|(name, _)| name == header);
    let folders = found.map_or(&[][..], |(_, folders)| folders);
    diagnosis.witnesses = folders
        .iter()
        .map(|folder| {
            let path = folder.path.join(header).display().to_string();
            Witness::named(&path, Vec::new(), None)
        })
        .collect();
    if let Some(folder) = folders.iter().find(|folder| !folder.searched) {
        diagnosis.remedies = vec![Remedy::CompilerFlags(format!(
            "-I{}",
            folder.path.display()
        ))];
        return diagnosis;
    }
    if let Some(folder) = folders.first() {
        diagnosis
            .notes
            .push(Note::SearchedAnyway(folder.path.clone()));
        // It prints where it looks.
        let asked = "$(go env CC) -E -v -x c /dev/null";
        diagnosis.remedies = vec![Remedy::Run(asked.to_owned())];
        return diagnosis;
    }
    let mut known = HEADERS.iter();
    let known = known
        .find(|(name, _)| *name == header || (name.ends_with('/') && header.starts_with(name)));
    let package = known.map(|(_, package)| *package);
    diagnosis.remedies = vec![match (here.format, package) {
        (Format::MachO, Some("libc6-dev")) => Remedy::Run("xcode-select --install".to_owned()),
        (format, package) => Remedy::Install {
            library: header.to_owned(),
            package: package.filter(|_| format == Format::Elf),
        },
    }];
    diagnosis
}

/// Compilers for a target that is not the machine's own.
fn compilers(format: Option<Format>, arch: Option<&Arch>, here: &Here) -> Vec<Remedy> {
    let linux = (here.format == Format::Elf && format.is_none()).then_some(arch);
    let of_debian = match linux.flatten() {
        Some(Arch::Arm64) => Some(("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")),
        Some(Arch::Amd64) => Some(("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu")),
        _ => None,
    };
    let mut remedies = Vec::new();
    if let Some((compiler, package)) = of_debian {
        remedies.push(Remedy::Compiler {
            command: compiler.to_owned(),
            package: Some(package),
        });
    }
    let system = match format.unwrap_or(here.format) {
        Format::MachO => "macos",
        Format::Elf => "linux-gnu",
    };
    let zig = |arch: &str| Remedy::Compiler {
        command: format!("zig cc -target {arch}-{system}"),
        package: None,
    };
    match (arch, format) {
        (Some(Arch::Amd64), _) => remedies.push(zig("x86_64")),
        (Some(Arch::Arm64), _) => remedies.push(zig("aarch64")),
        // Of which architecture is not said.
        (_, Some(_)) => remedies.extend(["x86_64", "aarch64"].map(zig)),
        _ => {}
    }
    remedies.push(Remedy::WithoutCgo);
    remedies
}

fn no_files(mut diagnosis: Diagnosis, folder: &str, answers: &Answers) -> Diagnosis {
    let found = answers.folders.iter().find(|(name, _)| name == folder);
    let Some((_, files)) = found else {
        return diagnosis;
    };
    let path = |name: &str| format!("{folder}/{name}");
    let named = |name: &String| Witness::named(&path(name), Vec::new(), None);
    if !files.with_c.is_empty() {
        diagnosis.cause = Cause::CgoOff;
        diagnosis.witnesses = files.with_c.iter().take(MOST_FILES).map(named).collect();
        diagnosis.remedies = vec![Remedy::WithCgo];
        return diagnosis;
    }
    let others = files.others.iter().take(MOST_FILES);
    diagnosis.notes = others
        .map(|(name, constraint)| match constraint.as_str() {
            "" => Note::ByItsName(path(name)),
            constraint => Note::Constraint(path(name), constraint.to_owned()),
        })
        .collect();
    diagnosis
}

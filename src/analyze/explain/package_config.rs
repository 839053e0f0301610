//! Builds for which pkg-config is missing, or does not know a library.

use super::log::{Problem, What};
use super::{Answers, Cause, Diagnosis, Here, Level, Note, Remedy, Witness};
use crate::binary::linkable::Format;

/// Libraries as pkg-config calls them, and Debian's packages that have their files.
const PACKAGES: [(&str, &str); 34] = [
    ("alsa", "libasound2-dev"),
    ("bzip2", "libbz2-dev"),
    ("cairo", "libcairo2-dev"),
    ("dbus-1", "libdbus-1-dev"),
    ("devmapper", "libdevmapper-dev"),
    ("freetype2", "libfreetype-dev"),
    ("gl", "libgl-dev"),
    ("glib-2.0", "libglib2.0-dev"),
    ("gobject-2.0", "libglib2.0-dev"),
    ("gpgme", "libgpgme-dev"),
    ("gtk+-3.0", "libgtk-3-dev"),
    ("gtk4", "libgtk-4-dev"),
    ("libarchive", "libarchive-dev"),
    ("libavcodec", "libavcodec-dev"),
    ("libavformat", "libavformat-dev"),
    ("libcrypto", "libssl-dev"),
    ("libcurl", "libcurl4-openssl-dev"),
    ("libgit2", "libgit2-dev"),
    ("liblzma", "liblzma-dev"),
    ("libpcap", "libpcap-dev"),
    ("libpng", "libpng-dev"),
    ("libseccomp", "libseccomp-dev"),
    ("libssl", "libssl-dev"),
    ("libsystemd", "libsystemd-dev"),
    ("libusb-1.0", "libusb-1.0-0-dev"),
    ("libxml-2.0", "libxml2-dev"),
    ("libzstd", "libzstd-dev"),
    ("ncurses", "libncurses-dev"),
    ("openssl", "libssl-dev"),
    ("sdl2", "libsdl2-dev"),
    ("sqlite3", "libsqlite3-dev"),
    ("vips", "libvips-dev"),
    ("x11", "libx11-dev"),
    ("zlib", "zlib1g-dev"),
];

/// Judges a problem, if it is one of these.
pub(super) fn judge(problem: &Problem, answers: &Answers, here: &Here) -> Option<Diagnosis> {
    let new = |cause| Diagnosis::new(Level::Error, cause, problem);
    Some(match &problem.what {
        What::NoPkgConfig { program, package } => Diagnosis {
            package: package.clone().or_else(|| problem.package.clone()),
            subject: Some(program.clone()),
            remedies: vec![match here.format {
                _ if !program.contains("pkg") => Remedy::Run("unset PKG_CONFIG".to_owned()),
                Format::MachO => Remedy::Run("brew install pkgconf".to_owned()),
                Format::Elf => Remedy::Install {
                    library: program.clone(),
                    package: (program == "pkg-config").then_some("pkg-config"),
                },
            }],
            ..new(Cause::PkgConfigMissing)
        },
        What::NoPackage {
            name,
            required_by,
            version: None,
        } => missing(
            Diagnosis {
                subject: Some(name.clone()),
                notes: required_by
                    .clone()
                    .map(Note::RequiredBy)
                    .into_iter()
                    .collect(),
                ..new(Cause::PackageMissing)
            },
            name,
            answers,
            here,
        ),
        What::NoPackage {
            name,
            version: Some((wanted, found)),
            ..
        } => Diagnosis {
            subject: Some(name.clone()),
            notes: vec![Note::Version(wanted.clone(), found.clone())],
            remedies: vec![Remedy::Install {
                library: format!("{name} {wanted}"),
                package: None,
            }],
            ..new(Cause::PackageVersion)
        },
        _ => return None,
    })
}

fn missing(mut diagnosis: Diagnosis, name: &str, answers: &Answers, here: &Here) -> Diagnosis {
    let found = answers.packages.iter().find(|(known, _)| known == name);
    let folders = found.map_or(&[][..], |(_, folders)| folders);
    let file = format!("{name}.pc");
    let witness = |path: String| Witness::named(&path, Vec::new(), None);
    diagnosis.witnesses = folders
        .iter()
        .map(|folder| witness(folder.join(&file).display().to_string()))
        .collect();
    let known = PACKAGES.iter().find(|(known, _)| *known == name);
    let package = known.map(|(_, package)| *package);
    diagnosis.remedies = vec![match folders.first() {
        Some(folder) => Remedy::Set {
            variable: "PKG_CONFIG_PATH",
            value: folder.display().to_string(),
        },
        None => Remedy::Install {
            library: file,
            package: package.filter(|_| here.format == Format::Elf),
        },
    }];
    diagnosis
}

//! A program or library that a message names: what it is for, and whether a Mac would take it.

use crate::analyze::Inspection;
use crate::analyze::inspect::{Level, Wanted};
use crate::binary::linkable::{Arch, Format, Linkable};

/// What is known of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// As the message names it.
    pub path: String,
    /// It is there, and was read.
    pub read: bool,
    /// Whose programs are like it.
    pub format: Option<Format>,
    /// What it is for.
    pub archs: Vec<Arch>,
    /// Rules of macOS that it breaks, and what follows from each.
    pub broken: Vec<(String, &'static str)>,
    /// Its first bytes, as text, where it is no program.
    pub begins: Option<String>,
    /// It is text, without a line that says what runs it.
    pub is_text: bool,
}

impl Program {
    /// Whether it begins as programs of Windows do.
    pub(super) fn is_for_windows(&self) -> bool {
        self.begins
            .as_ref()
            .is_some_and(|text| text.starts_with("MZ"))
    }

    /// Looks into the bytes of a file; `None` where it could not be read.
    #[must_use]
    pub fn of(path: &str, data: Option<&[u8]>) -> Self {
        let mut program = Self {
            path: path.to_owned(),
            read: data.is_some(),
            ..Self::default()
        };
        let Some(data) = data else {
            return program;
        };
        let wanted = Wanted {
            bindings: false,
            findings: true,
        };
        let content = Linkable::of(data, &crate::binary::linkable::Wanted::default());
        if let Ok(content) = content {
            program.format = Some(content.format);
            for part in content.parts {
                if !program.archs.contains(&part.arch) {
                    program.archs.push(part.arch);
                }
            }
        } else {
            let begins = data.get(..16).unwrap_or(data);
            program.begins = Some(begins.escape_ascii().to_string());
            let is_letter = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
            program.is_text = begins.iter().all(is_letter) && !begins.starts_with(b"#!");
        }
        if let Ok(inspection) = Inspection::of(data, wanted) {
            let slices = inspection
                .slices
                .iter()
                .filter_map(|slice| slice.findings.as_ref());
            for finding in slices.flatten() {
                let broken = (finding.rule.id().to_owned(), finding.rule.consequence());
                if finding.rule.level() == Level::Error && !program.broken.contains(&broken) {
                    program.broken.push(broken);
                }
            }
        }
        program
    }
}

//! What `doctor --json` writes.

use super::object;
use crate::analyze::doctor::{Diagnosis, Finding, Level};
use serde::Serialize;
use std::io::{self, Write};

/// Name and version of what `doctor --json` writes.
pub const DOCTOR_SCHEMA: &str = "gotrace.doctor/1";

#[derive(Serialize)]
struct Head {
    schema: &'static str,
    error_count: usize,
    warning_count: usize,
    note_count: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    section: &'static str,
    check: &'static str,
    level: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    evidence: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    remedy: &'a str,
}

/// Writes the object of `doctor --json`: a row for each finding.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn doctor(diagnosis: &Diagnosis, out: &mut impl Write) -> io::Result<()> {
    let head = Head {
        schema: DOCTOR_SCHEMA,
        error_count: diagnosis.count(Level::Error),
        warning_count: diagnosis.count(Level::Warning),
        note_count: diagnosis.count(Level::Note),
    };
    object(&head, diagnosis.findings.iter().map(row), out)
}

fn row(finding: &Finding) -> Row<'_> {
    Row {
        section: finding.check.section().name(),
        check: finding.check.id(),
        level: finding.level.name(),
        text: &finding.text,
        evidence: &finding.evidence,
        remedy: &finding.remedy,
    }
}

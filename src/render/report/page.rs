//! The page of a report: a shell with one style, one script and the data, and nothing to load.
//!
//! ```text
//! shell.html    up to {policy}     content security policy: nothing is loaded, and only what has
//!                                  these two hashes is a style or a script
//!               up to {style}      app/style.css
//!               up to {data}       base64 of gzip of columns
//!               up to {script}     app.js, built from app/*.ts
//!               to its end
//! ```
//!
//! The data lies in a script element of a type that no browser runs, and base64 has no character that
//! could end it. No name of a trace is ever a part of the page's HTML: the app puts them into nodes of text.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use base64::write::EncoderWriter;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

const SHELL: &str = include_str!("shell.html");
const STYLE: &str = include_str!("app/style.css");
const SCRIPT: &str = include_str!("app.js");

/// Writes the page around the data that `fill` writes.
///
/// # Errors
///
/// Those of the writer, and of `fill`.
pub(super) fn write<T>(
    out: &mut dyn Write,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let rest = splice(SHELL, "{policy}", &policy(), out)?;
    let rest = splice(rest, "{style}", STYLE, out)?;
    let rest = splice(rest, "{data}", "", out)?;
    let base64 = EncoderWriter::new(&mut *out, &BASE64_STANDARD);
    let mut gzip = GzEncoder::new(base64, Compression::default());
    let filled = fill(&mut gzip)?;
    gzip.finish()?.finish()?;
    let rest = splice(rest, "{script}", SCRIPT, out)?;
    out.write_all(rest.as_bytes())?;
    Ok(filled)
}

/// Writes the shell up to a mark, and what stands for it; returns the shell behind it.
fn splice<'s>(shell: &'s str, mark: &str, text: &str, out: &mut dyn Write) -> io::Result<&'s str> {
    let (before, behind) = shell.split_once(mark).unwrap_or((shell, ""));
    out.write_all(before.as_bytes())?;
    out.write_all(text.as_bytes())?;
    Ok(behind)
}

fn policy() -> String {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

/// As a content security policy names an inline script or style.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'alert(1)' | openssl sha256 -binary | base64`
    #[test]
    fn a_script_is_named_by_its_hash() {
        assert_eq!(
            hash("alert(1)"),
            "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI="
        );
    }

    #[test]
    fn neither_script_nor_style_ends_its_element() {
        for (text, end) in [(SCRIPT, "</script"), (SCRIPT, "<!--"), (STYLE, "</style")] {
            assert!(!text.contains(end), "{end}");
        }
    }

    #[test]
    fn each_mark_of_the_shell_is_replaced() {
        let mut page = Vec::new();
        write(&mut page, |data| data.write_all(b"data")).unwrap();
        let page = String::from_utf8(page).unwrap();
        for mark in ["{policy}", "{style}", "{script}", "{data}"] {
            assert_eq!(SHELL.matches(mark).count(), 1, "{mark}");
            assert!(!page.contains(mark), "{mark}");
        }
        assert!(page.ends_with("</html>\n"));
    }
}

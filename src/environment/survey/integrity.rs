//! System Integrity Protection of macOS: what `csrutil status` prints in, what it keeps from being watched
//! out.
//!
//! ```text
//! System Integrity Protection status: enabled.
//!
//! System Integrity Protection status: unknown (Custom Configuration).
//!
//! Configuration:
//!     ...
//!     Debugging Restrictions: enabled
//!     DTrace Restrictions: disabled
//! ```
//!
//! The bits behind it are `CSR_ALLOW_TASK_FOR_PID` and `CSR_ALLOW_UNRESTRICTED_DTRACE` of xnu's `csr.h`.

use super::Surroundings;
use std::path::Path;

/// What is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integrity {
    /// Programs of macOS itself cannot be debugged, by root either.
    pub debugging: bool,
    /// dtrace sees nothing of the kernel, and stops nobody.
    pub dtrace: bool,
}

impl Integrity {
    /// Asks this machine; `None` where it does not say.
    #[must_use]
    pub fn here() -> Option<Self> {
        Self::of(&Surroundings::default())
    }

    pub(super) fn of(surroundings: &Surroundings) -> Option<Self> {
        let printed = surroundings.output(Path::new("/usr/bin/csrutil"), &["status"]);
        Self::parse(&printed.ok()?)
    }

    /// Reads what was printed; `None` where that is none of the above.
    #[must_use]
    pub fn parse(printed: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = printed.lines();
            lines.find_map(|line| Some(line.trim().strip_prefix(name)?.strip_prefix(": ")?.trim()))
        };
        let is_on = |value: &str| match value {
            "enabled" | "enabled." => Some(true),
            "disabled" | "disabled." => Some(false),
            _ => None,
        };
        let whole = value("System Integrity Protection status")?;
        let part = |name| is_on(value(name).unwrap_or(whole));
        Some(Self {
            debugging: part("Debugging Restrictions")?,
            dtrace: part("DTrace Restrictions")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protection_is_on_off_or_in_parts() {
        let of = |debugging, dtrace| Some(Integrity { debugging, dtrace });
        let status = |words: &str| format!("System Integrity Protection status: {words}\n");
        assert_eq!(Integrity::parse(&status("enabled.")), of(true, true));
        assert_eq!(Integrity::parse(&status("disabled.")), of(false, false));
        let parts = "\nConfiguration:\n\tApple Internal: disabled\n\tKext Signing: enabled\n\tDebugging Restrictions: enabled\n\tDTrace Restrictions: disabled\n";
        let custom = status("unknown (Custom Configuration).") + parts;
        assert_eq!(Integrity::parse(&custom), of(true, false));
        let unknown = status("unknown (Custom Configuration).");
        assert_eq!(Integrity::parse(&unknown), None);
        assert_eq!(Integrity::parse("csrutil: no such command"), None);
        assert_eq!(Integrity::parse(""), None);
    }
}

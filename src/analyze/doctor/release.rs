//! Releases of Go, in their order.

/// Releases that gotrace is tried with.
pub(super) const TRIED: ([u32; 3], [u32; 3]) = ([1, 21, 0], [1, 27, u32::MAX]);

/// The numbers of `go1.27.3`, `1.25`, `go1.26rc1`; `None` for what is no release.
pub(super) fn numbers(version: &str) -> Option<[u32; 3]> {
    let version = version.trim().strip_prefix("go").unwrap_or(version.trim());
    let mut numbers = [0; 3];
    let parts = version.split('.').zip(&mut numbers);
    for (at, (part, number)) in parts.enumerate() {
        let digits = part
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(part.len());
        // A candidate, or words after the version.
        let (digits, rest) = part.split_at(digits);
        *number = digits.parse().ok()?;
        if !rest.is_empty() {
            return (at > 0).then_some(numbers);
        }
    }
    version.contains('.').then_some(numbers)
}

/// Whether a release is before the one that is needed; not where either is not known.
pub(super) fn is_before(version: &str, needed: &str) -> bool {
    matches!((numbers(version), numbers(needed)), (Some(version), Some(needed)) if version < needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_an_order() {
        assert_eq!(numbers("go1.27.3"), Some([1, 27, 3]));
        assert_eq!(numbers("1.25"), Some([1, 25, 0]));
        assert_eq!(numbers("go1.26rc1"), Some([1, 26, 0]));
        assert_eq!(numbers("go1.24.1 X:nocoverageredesign"), Some([1, 24, 1]));
        assert_eq!(
            (numbers("devel +abc"), numbers(""), numbers("go1")),
            (None, None, None)
        );
        assert!(
            is_before("go1.9", "1.10")
                && !is_before("go1.10", "1.10")
                && !is_before("devel", "1.10")
        );
    }
}

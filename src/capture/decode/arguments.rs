//! Command lines of the Go tools: argument bytes in, the facts that a trace keeps out.

/// Splits arguments as they lie in memory, each ended by a zero byte.
///
/// What follows the last zero byte is an argument too: that of a list that was cut.
#[must_use]
pub fn split(argv: &[u8]) -> Vec<&[u8]> {
    let mut arguments: Vec<&[u8]> = argv.split(|&byte| byte == 0).collect();
    if arguments.last().is_some_and(|last| last.is_empty()) {
        arguments.pop();
    }
    arguments
}

/// The last part of a path.
#[must_use]
pub fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// The value of a flag as Go's `flag` package reads it: `-name value`, `-name=value`, and the
/// same with two dashes. The last one counts.
#[must_use]
pub fn flag<'a>(arguments: &[&'a [u8]], name: &str) -> Option<&'a [u8]> {
    let mut value = None;
    for (at, argument) in arguments.iter().enumerate() {
        let Some(rest) = argument.strip_prefix(b"-") else {
            continue;
        };
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        match rest.strip_prefix(name.as_bytes()) {
            Some([]) => value = arguments.get(at.saturating_add(1)).copied().or(value),
            Some([b'=', set @ ..]) => value = Some(set),
            _ => {}
        }
    }
    value
}

/// The importcfg file of a tool that the go command runs with one.
#[must_use]
pub fn import_cfg<'a>(arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    let tool = arguments.first().map_or(&b""[..], |first| base_name(first));
    matches!(tool, b"compile" | b"link")
        .then(|| flag(arguments, "importcfg"))
        .flatten()
}

/// The `$WORK` directory that a path lies in, with its final slash: `/tmp/go-build123/`.
///
/// The go command makes one for itself alone (`os.MkdirTemp("", "go-build")`), so it tells
/// which go command a tool or an action belongs to.
#[must_use]
pub fn work_directory(path: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b"/go-build";
    let at = path.windows(MARK.len()).position(|part| part == MARK)?;
    let after = at.checked_add(MARK.len())?;
    let tail = path.get(after..)?;
    let digits = tail.iter().position(|byte| !byte.is_ascii_digit())?;
    if digits == 0 || tail.get(digits) != Some(&b'/') {
        return None;
    }
    path.get(..after.checked_add(digits)?.checked_add(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_may_be_empty_or_cut() {
        assert_eq!(split(b"go\0\0x\0"), [&b"go"[..], b"", b"x"]);
        assert_eq!(split(b"go\0bui"), [&b"go"[..], b"bui"]);
        assert!(split(b"").is_empty());
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        let argv = [&b"compile"[..], b"-p", b"a/b", b"--importcfg=x", b"-pack"];
        assert_eq!(flag(&argv, "p"), Some(&b"a/b"[..]));
        assert_eq!(flag(&argv, "importcfg"), Some(&b"x"[..]));
        assert_eq!(flag(&argv, "o"), None);
        assert_eq!(flag(&[b"compile", b"-p"], "p"), None);
    }

    #[test]
    fn a_work_directory_is_found_wherever_temporary_files_go() {
        assert_eq!(
            work_directory(b"/var/tmp/x y/go-build17/b001/_pkg_.a"),
            Some(&b"/var/tmp/x y/go-build17/"[..])
        );
        assert_eq!(work_directory(b"/home/u/.cache/go-build/1a/1a2b-d"), None);
        assert_eq!(work_directory(b"/tmp/go-build12x/b001"), None);
        assert_eq!(work_directory(b"/tmp/go-build12"), None);
    }

    #[test]
    fn only_compile_and_link_take_an_importcfg() {
        let of = |tool: &'static [u8]| import_cfg(&[tool, b"-importcfg", b"b001/importcfg"]);
        let path = Some(&b"b001/importcfg"[..]);
        assert_eq!(of(b"/go/pkg/tool/linux_amd64/compile"), path);
        assert_eq!(of(b"link"), path);
        assert_eq!(of(b"asm"), None);
        assert_eq!(import_cfg(&[b"compile", b"-V=full"]), None);
        assert_eq!(import_cfg(&[]), None);
    }
}

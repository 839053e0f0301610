//! The importcfg file that the go command gives to compile and link.
//!
//! ```text
//! # import config
//! packagefile errors=/tmp/go-build123/b003/_pkg_.a
//! importmap golang.org/x/net/http=vendor/golang.org/x/net/http
//! ```

/// The import paths of its `packagefile` lines, in their order: the direct dependencies.
pub fn packages(contents: &[u8]) -> impl Iterator<Item = &[u8]> {
    contents.split(|&byte| byte == b'\n').filter_map(|line| {
        let rest = line.strip_prefix(b"packagefile ")?;
        let end = rest.iter().position(|&byte| byte == b'=')?;
        rest.get(..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packagefile_lines_count() {
        let text =
            b"# import config\nimportmap a=b\npackagefile errors=/x/y=z.a\npackagefile cut\n\
            packagefile runtime=/r.a";
        let found: Vec<_> = packages(text).collect();
        assert_eq!(found, [&b"errors"[..], b"runtime"]);
    }
}

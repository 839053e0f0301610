//! What is asked for: `IMAGE:FUNCTION-GLOB[:entry|call]`.

use crate::trace::PhaseLasts;
use std::path::Path;
use std::str::FromStr;

/// Functions to watch, of some executables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Which executables.
    pub image: ImagePattern,
    /// Which functions.
    pub function: FunctionGlob,
    /// Which of their edges.
    pub mode: Mode,
    /// The set that asks for it; none where the user does.
    pub set: Option<String>,
    /// The phase that their calls mark.
    pub phase: Option<Phase>,
}

/// Which edges of a function are watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Entries alone.
    Entry,
    /// Entries and exits.
    #[default]
    Call,
}

/// A phase that calls mark, see [`crate::trace::PhaseMark`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// What it is a part of.
    pub track: String,
    /// Its name; empty where the call ends the track's phase and begins none.
    pub name: String,
    /// When it is over.
    pub lasts: PhaseLasts,
    /// It goes on beside the tool's own phases.
    pub beside: bool,
}

/// Which executables: a glob of base names, or of paths where it holds a `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePattern(String);

/// Which functions: a glob of names as Go developers write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionGlob(String);

/// What is wrong with the text of a [`Spec`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected IMAGE:FUNCTION[:entry|call], {found}")]
pub struct BadSpec {
    found: &'static str,
}

impl Spec {
    /// Whether the same functions are asked for, by the same one, whatever the mode.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.image, &self.function, &self.set) == (&other.image, &other.function, &other.set)
    }
}

impl FromStr for Spec {
    type Err = BadSpec;

    fn from_str(text: &str) -> Result<Self, BadSpec> {
        let bad = |found| BadSpec { found };
        let (image, rest) = (text.split_once(':')).ok_or(bad("found no colon"))?;
        let (function, mode) = match rest.rsplit_once(':') {
            Some((function, "entry")) => (function, Mode::Entry),
            Some((function, "call")) => (function, Mode::Call),
            _ => (rest, Mode::default()),
        };
        Ok(Self {
            image: image.parse()?,
            function: function.parse()?,
            mode,
            set: None,
            phase: None,
        })
    }
}

impl FromStr for ImagePattern {
    type Err = BadSpec;

    fn from_str(text: &str) -> Result<Self, BadSpec> {
        let found = "found no image before the colon; * is any";
        (!text.is_empty())
            .then(|| Self(text.to_owned()))
            .ok_or(BadSpec { found })
    }
}

impl FromStr for FunctionGlob {
    type Err = BadSpec;

    fn from_str(text: &str) -> Result<Self, BadSpec> {
        let found = "found no function behind the image; * is any";
        (!text.is_empty())
            .then(|| Self(text.to_owned()))
            .ok_or(BadSpec { found })
    }
}

impl ImagePattern {
    /// The same, with a relative path taken from `cwd`.
    #[must_use]
    pub fn below(self, cwd: &Path) -> Self {
        let path = Path::new(&self.0);
        if !self.0.contains('/') || path.is_absolute() {
            return self;
        }
        let path = cwd.join(path);
        // `a/./b` is `a/b`.
        let path: std::path::PathBuf = path.components().collect();
        Self(path.to_string_lossy().into_owned())
    }

    /// The same, where it is the path of a file by where that is: the kernel follows links, and names
    /// what runs by where it is.
    #[must_use]
    pub fn resolved(self) -> Self {
        let is_path = self.0.contains('/') && self.is_literal();
        let found = is_path.then(|| Path::new(&self.0).canonicalize().ok());
        match found.flatten() {
            Some(path) => Self(path.to_string_lossy().into_owned()),
            None => self,
        }
    }

    /// Whether an executable is meant.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let name = if self.0.contains('/') {
            path
        } else {
            path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
        };
        glob(self.0.as_bytes(), name, |_| false)
    }

    /// The pattern without wildcards: it means one file.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.0.contains(['*', '?'])
    }
}

impl std::fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FunctionGlob {
    /// All functions.
    #[must_use]
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// Whether a function is meant. A `*` directly behind `(` is the pointer of a receiver.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        let pattern = self.0.as_bytes();
        glob(pattern, name, |at| {
            let before = at.checked_sub(1).and_then(|before| pattern.get(before));
            before == Some(&b'(')
        })
    }

    /// It begins with a wildcard: whatever the package.
    #[must_use]
    pub fn begins_with_any(&self) -> bool {
        self.0.starts_with(['*', '?'])
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.image, self.function.0)
    }
}

/// `*` is any bytes, `?` is any byte; `plain` tells of the positions where `*` is itself.
///
/// When a byte does not fit, only the last `*` takes one more: what the ones before it took is as
/// good as any other choice.
fn glob(pattern: &[u8], text: &[u8], plain: impl Fn(usize) -> bool) -> bool {
    let (mut p, mut t) = (0_usize, 0_usize);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') if !plain(p) => {
                star = Some((p, t));
                p += 1;
            }
            Some(&wanted) if wanted == byte || wanted == b'?' => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    let rest = pattern.get(p..).unwrap_or_default();
    (p..)
        .zip(rest)
        .all(|(at, byte)| *byte == b'*' && !plain(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(glob: &str, name: &str) -> bool {
        FunctionGlob(glob.to_owned()).matches(name.as_bytes())
    }

    #[test]
    fn only_stars_and_question_marks_are_wild() {
        assert!(function("runtime.*", "runtime.mallocgc"));
        assert!(function("*.Compile", "cmd/compile/internal/ssa.Compile"));
        assert!(function(
            "*/ssa.?ompile",
            "cmd/compile/internal/ssa.Compile"
        ));
        assert!(!function("runtime.*", "runtimex"));
        assert!(function("*a*b*c", "xaxbxaxbxc"));
        assert!(!function("*a*b*c", "xaxbxaxbxcx"));
        assert!(function("*", ""));
        assert!(!function("?", ""));
        assert!(function("main.Map[...]", "main.Map[...]"));
        assert!(!function("main.Map[a]", "main.Mapa"));
    }

    #[test]
    fn a_star_behind_a_parenthesis_is_a_pointer() {
        assert!(function("main.(*Handler).*", "main.(*Handler).Serve"));
        assert!(!function("main.(*Handler).*", "main.(xHandler).Serve"));
        assert!(!function("main.(*", "main.(Handler"));
        assert!(function("main.(*", "main.(*"));
        assert!(function("main.(**", "main.(*Handler).Serve"));
    }

    #[test]
    fn the_image_ends_at_the_first_colon_and_only_a_mode_at_the_last() {
        let spec: Spec = "./server:main.(*Handler).*".parse().unwrap();
        assert_eq!(spec.to_string(), "./server:main.(*Handler).*");
        assert_eq!(spec.mode, Mode::Call);
        let spec: Spec = "*:runtime.gcStart:entry".parse().unwrap();
        assert_eq!(spec.mode, Mode::Entry);
        assert_eq!(spec.function.text(), "runtime.gcStart");
        let spec: Spec = "x:a:b".parse().unwrap();
        assert_eq!(spec.function.text(), "a:b");
        for (text, found) in [
            ("runtime.gcStart", "found no colon"),
            (":f", "found no image before the colon; * is any"),
            ("x:", "found no function behind the image; * is any"),
            ("x::entry", "found no function behind the image; * is any"),
        ] {
            assert_eq!(text.parse::<Spec>(), Err(BadSpec { found }), "{text}");
        }
    }

    #[test]
    fn an_image_is_a_base_name_or_a_path() {
        let image = |text: &str| ImagePattern(text.to_owned()).below(Path::new("/home/x"));
        assert!(image("compile").matches(b"/go/pkg/tool/compile"));
        assert!(!image("compile").matches(b"/go/pkg/tool/xcompile"));
        assert!(image("*.test").matches(b"/tmp/b001/pkg.test"));
        assert!(image("./server").matches(b"/home/x/server"));
        assert!(!image("./server").matches(b"/home/server"));
        assert!(image("/go/*/compile").matches(b"/go/pkg/tool/compile"));
        assert!(!image("*").is_literal() && image("link").is_literal());
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("server"), b"").unwrap();
        std::os::unix::fs::symlink("server", path("link")).unwrap();
        let server = path("server").canonicalize().unwrap();
        std::fs::create_dir(path("x")).unwrap();
        for (name, is_there) in [("link", true), ("x/../server", true), ("x/server", false)] {
            let resolved = ImagePattern(path(name).display().to_string()).resolved();
            let found = resolved.matches(server.as_os_str().as_encoded_bytes());
            assert_eq!(found, is_there, "{name}");
        }
    }
}

//! The symbols that are asked for, as linkers write them: as they are in the file, or, where they
//! are C++'s, as the source has them.

use cpp_demangle::Symbol;
use rustc_hash::FxHashMap;

/// What a file has of a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Has {
    /// It defines it, for all to see.
    Defined,
    /// It defines it for itself alone.
    Hidden,
    /// It defines one that the source calls the same, by another spelling: one of the two was
    /// declared as C, the other one as C++.
    Spelled(String),
    /// It defines it, and hides it from programs for the version of the system that was asked for
    /// (`$ld$hide`).
    Withheld,
    /// It needs it.
    Needed,
}

impl Has {
    /// What tells most about a file comes first.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Withheld => 0,
            Self::Defined => 1,
            Self::Spelled(_) => 2,
            Self::Hidden => 3,
            Self::Needed => 4,
        }
    }
}

/// How a symbol of a file is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Defined,
    Hidden,
    Needed,
}

/// Symbols to look for; the number of one is its position.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    count: usize,
    /// By their names without the low line of Mach-O.
    exact: FxHashMap<Vec<u8>, Vec<usize>>,
    /// By the last word of their names, which is in mangled names as it is.
    of_source: FxHashMap<Vec<u8>, Vec<Source>>,
    /// The version of macOS that is linked for: `11.0`.
    minimum: Option<String>,
}

#[derive(Clone, Debug)]
struct Source {
    number: usize,
    /// As the source has it, without spaces; `None` for a name of C, which goes with any arguments.
    text: Option<String>,
}

impl Wanted {
    /// Symbols as the messages of linkers have them; `low_line` where they are of Mach-O, which
    /// puts a `_` before each.
    #[must_use]
    pub fn new<'a>(symbols: impl IntoIterator<Item = &'a str>, low_line: bool) -> Self {
        let mut wanted = Self::default();
        for (symbol, number) in symbols.into_iter().zip(0..) {
            wanted.count = wanted.count.saturating_add(1);
            if is_of_source(symbol) {
                let text = Some(squeezed(symbol));
                wanted.add_source(last_word(symbol), Source { number, text });
                continue;
            }
            let bare = match symbol.strip_prefix('_') {
                Some(bare) if low_line => bare,
                _ => symbol,
            };
            // Versions of symbols (name@@VERSION) are the loader's matter.
            let bare = bare.split('@').next().unwrap_or(bare);
            let numbers = wanted.exact.entry(bare.as_bytes().to_vec()).or_default();
            numbers.push(number);
            if !bare.starts_with("_Z") {
                wanted.add_source(bare, Source { number, text: None });
            }
        }
        wanted
    }

    /// The same, of a link for programs that run since this version of macOS: `10.14`, `11`.
    #[must_use]
    pub fn since(mut self, minimum: Option<&str>) -> Self {
        self.minimum = minimum.map(|version| {
            let mut numbers = version.split('.');
            let major = numbers.next().unwrap_or_default();
            format!("{major}.{}", numbers.next().unwrap_or("0"))
        });
        self
    }

    /// What a name says that is an order to Apple's linker (ld64, `macho_dylib_file.cpp`):
    ///
    /// ```text
    /// $ld$hide$os11.0$_name   programs for 11.0, and these alone, do not see the symbol
    /// $ld$add$os11.0$_name    these alone see it
    /// ```
    ///
    /// Others (`$ld$previous`, `$ld$install_name`) change from where it is loaded, not whether it is.
    fn ordered(&self, order: &[u8]) -> Vec<(usize, Has)> {
        let words: Vec<&[u8]> = order.splitn(3, |&byte| byte == b'$').collect();
        let [verb, version, symbol] = words.as_slice() else {
            return Vec::new();
        };
        let version = version.strip_prefix(b"os").unwrap_or_default();
        let minimum = self.minimum.as_deref().unwrap_or_default();
        if version.is_empty() || version != minimum.as_bytes() {
            return Vec::new();
        }
        let symbol = symbol.strip_prefix(b"_").unwrap_or(symbol);
        match *verb {
            b"add" => self.matching(symbol, Seen::Defined),
            b"hide" => {
                let numbers = self.exact.get(symbol).into_iter().flatten();
                numbers.map(|&number| (number, Has::Withheld)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn add_source(&mut self, word: &str, source: Source) {
        let sources = self.of_source.entry(word.as_bytes().to_vec());
        sources.or_default().push(source);
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the bytes of a file could hold any of them: a quick look before a long one.
    #[must_use]
    pub fn may_be_in(&self, data: &[u8]) -> bool {
        let names = self.exact.keys().chain(self.of_source.keys());
        let mut names = names.map(Vec::as_slice);
        names.any(|name| memchr::memmem::find(data, name).is_some())
    }

    /// What a symbol of a file, without the low line of Mach-O, is of those that are wanted.
    pub(super) fn matching(&self, name: &[u8], seen: Seen) -> Vec<(usize, Has)> {
        if let Some(order) = name.strip_prefix(b"$ld$") {
            return self.ordered(order);
        }
        let mut found: Vec<(usize, Has)> = Vec::new();
        let has = match seen {
            Seen::Defined => Has::Defined,
            Seen::Hidden => Has::Hidden,
            Seen::Needed => Has::Needed,
        };
        if let Some(numbers) = self.exact.get(name) {
            found.extend(numbers.iter().map(|&number| (number, has.clone())));
        }
        if name.starts_with(b"_Z") {
            self.mangled(name, &has, &mut found);
        } else if seen == Seen::Defined {
            // The source takes it for a C++ function of no namespace, and the file has it as C's.
            for one in self.of_source.get(name).into_iter().flatten() {
                let text = one.text.as_deref().unwrap_or_default();
                let arguments = text.as_bytes().strip_prefix(name);
                if arguments.is_some_and(|rest| rest.starts_with(b"(")) {
                    let name = String::from_utf8_lossy(name).into_owned();
                    found.push((one.number, Has::Spelled(name)));
                }
            }
        }
        found
    }

    fn mangled(&self, name: &[u8], has: &Has, found: &mut Vec<(usize, Has)>) {
        let mut demangled = None;
        for word in words(name) {
            for one in self.of_source.get(word).into_iter().flatten() {
                let text = demangled.get_or_insert_with(|| in_source(name).unwrap_or_default());
                let new = found.iter().all(|(number, _)| *number != one.number);
                match &one.text {
                    Some(wanted) if squeezed(text) == *wanted && new => {
                        found.push((one.number, has.clone()));
                    }
                    None if new
                        && *has == Has::Defined
                        && before_arguments(text).as_bytes() == word =>
                    {
                        found.push((one.number, Has::Spelled(text.clone())));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The words of a mangled name, each behind its length: `frob`, `Box`, `open` of
/// `_ZN4frob3Box4openEi`. Some that are none may be among them.
fn words(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.iter().enumerate().filter_map(|(at, byte)| {
        let first = byte.is_ascii_digit() && *byte != b'0';
        let inside = at.checked_sub(1).and_then(|before| name.get(before));
        if !first || inside.is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let rest = name.get(at..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = std::str::from_utf8(rest.get(..digits)?).ok()?;
        let length: usize = length.parse().ok()?;
        rest.get(digits..)?.get(..length)
    })
}

/// `frob::close(long)`: no name of a symbol has brackets, colons or spaces.
fn is_of_source(symbol: &str) -> bool {
    symbol.contains(['(', ' ', '<']) || symbol.contains("::")
}

fn before_arguments(symbol: &str) -> &str {
    symbol.split('(').next().unwrap_or(symbol)
}

/// `close` of `frob::close(long)`.
fn last_word(symbol: &str) -> &str {
    let before = before_arguments(symbol);
    let end = before.trim_end_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
    let start = end.rfind(|c: char| !(c.is_alphanumeric() || c == '_'));
    start.map_or(end, |at| {
        end.get(at..)
            .unwrap_or(end)
            .trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '_'))
    })
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// What the source calls a mangled name, as GNU's and LLVM's tools write it.
#[must_use]
pub fn in_source(name: &[u8]) -> Option<String> {
    let text = Symbol::new(name).ok()?.demangle().ok()?;
    // `{vtable(frob::Box)}`
    let inner = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix(")}"));
    Some(match inner.and_then(|inner| inner.split_once('(')) {
        Some((what, of)) => format!("{what} for {of}"),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(symbols: &[&str], low_line: bool, name: &str) -> Vec<(usize, Has)> {
        Wanted::new(symbols.iter().copied(), low_line).matching(name.as_bytes(), Seen::Defined)
    }

    #[test]
    fn c_has_the_low_line_of_its_format() {
        assert_eq!(look(&["_deflate"], true, "deflate"), [(0, Has::Defined)]);
        assert_eq!(look(&["deflate"], false, "deflate"), [(0, Has::Defined)]);
        assert_eq!(look(&["_deflate"], false, "deflate"), []);
        assert_eq!(
            look(&["fopen@@GLIBC_2.2.5"], false, "fopen"),
            [(0, Has::Defined)]
        );
    }

    // The mangled names are those that g++ 12 wrote for these declarations (nm).
    #[test]
    fn cpp_is_known_mangled_and_as_the_source_has_it() {
        let source = ["frob::Box::open(int, char const*)", "frob::close(long)"];
        let open = "_ZN4frob3Box4openEiPKc";
        assert_eq!(look(&source, false, open), [(0, Has::Defined)]);
        assert_eq!(look(&source, true, "_ZN4frob5closeEl"), [(1, Has::Defined)]);
        assert_eq!(look(&source, true, "_ZN4frob5closeEi"), []);
        assert_eq!(
            look(&["vtable for frob::Box"], false, "_ZTVN4frob3BoxE"),
            [(0, Has::Defined)]
        );
        assert_eq!(
            look(&["typeinfo for frob::Box"], false, "_ZTIN4frob3BoxE"),
            [(0, Has::Defined)]
        );
        assert_eq!(
            look(&["frob::Box::~Box()"], true, "_ZN4frob3BoxD2Ev"),
            [(0, Has::Defined)]
        );
        assert_eq!(
            look(&["__ZN4frob5closeEl"], true, "_ZN4frob5closeEl"),
            [(0, Has::Defined)]
        );
    }

    #[test]
    fn a_missing_extern_c_is_seen_from_both_sides() {
        let as_cpp = look(&["plain"], false, "_Z5plaini");
        assert_eq!(as_cpp, [(0, Has::Spelled("plain(int)".to_owned()))]);
        let as_c = look(&["plain(int)"], false, "plain");
        assert_eq!(as_c, [(0, Has::Spelled("plain".to_owned()))]);
        assert_eq!(look(&["plain"], false, "_ZN4frob5plainEi"), []);
        assert_eq!(look(&["frob::close(long)"], false, "close"), []);
    }

    #[test]
    fn a_quick_look_never_misses() {
        let wanted = Wanted::new(["frob::Box::open(int)", "_inflate"], true);
        assert!(wanted.may_be_in(b"..inflate.."));
        assert!(wanted.may_be_in(b"_ZN4frob3Box4openEi"));
        assert!(!wanted.may_be_in(b"deflate close"));
        assert!(Wanted::default().is_empty() && !wanted.is_empty());
    }

    #[test]
    fn hostile_names_do_no_harm() {
        for name in [
            "_Z",
            "_ZN",
            "_ZN9999999999999a",
            "_ZSt1\0",
            "_Z5plain\u{fffd}",
        ] {
            look(&["plain", "()", "<", "::", "operator()"], false, name);
        }
        let long = format!("_Z{}", "N".repeat(100_000));
        look(&["N()"], false, &long);
    }

    /// ld64's `macho_dylib_file.cpp` compares the whole version: what is hidden for 11.0 is there
    /// for 11.1.
    #[test]
    fn orders_to_the_linker_are_for_one_version() {
        let has = |name: &str, minimum: Option<&str>| {
            let wanted = Wanted::new(["_frob"], true).since(minimum);
            wanted.matching(name.as_bytes(), Seen::Defined)
        };
        let (hide, add) = ("$ld$hide$os11.0$_frob", "$ld$add$os10.14$_frob");
        assert_eq!(has(hide, Some("11")), [(0, Has::Withheld)]);
        assert_eq!(has(hide, Some("11.0.0")), [(0, Has::Withheld)]);
        assert_eq!(has(add, Some("10.14")), [(0, Has::Defined)]);
        for (name, minimum) in [
            (hide, Some("11.1")),
            (hide, None),
            (add, Some("10.15")),
            ("$ld$hide$os11.0$_other", Some("11.0")),
            (
                "$ld$previous$/usr/lib/libfrob.dylib$1$1$10.9$11.0$_frob$",
                Some("11.0"),
            ),
            ("$ld$hide$os$_frob", Some("11.0")),
            ("$ld$hide", Some("11.0")),
        ] {
            assert!(has(name, minimum).is_empty(), "{name} {minimum:?}");
        }
    }
}

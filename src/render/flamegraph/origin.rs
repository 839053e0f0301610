//! Where a frame's code comes from, which decides its colour.

use crate::render::palette::Rgb;
use crate::trace::Trace;

/// Where the code of one frame comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// A box that holds frames: a package, a tool, a process.
    Group,
    /// The Go toolchain: compiler, linker, assembler, the go command.
    Toolchain,
    /// Go's standard library.
    Standard,
    /// Go code of anybody else.
    User,
    /// The Go runtime, but for its garbage collector.
    Runtime,
    /// The garbage collector of the Go runtime.
    Collector,
    /// C, C++ or assembly.
    C,
    /// The kernel.
    Kernel,
    /// It has a name that may be of any language, and nothing else is known of it.
    Unknown,
    /// It has no name, and the frame says why.
    Unnamed,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Group,
        Self::Toolchain,
        Self::Standard,
        Self::User,
        Self::Runtime,
        Self::Collector,
        Self::C,
        Self::Kernel,
        Self::Unknown,
        Self::Unnamed,
    ];

    /// All that stand in a legend, in its order.
    pub const LEGEND: [Self; 9] = [
        Self::Toolchain,
        Self::Standard,
        Self::User,
        Self::Runtime,
        Self::Collector,
        Self::C,
        Self::Kernel,
        Self::Unknown,
        Self::Unnamed,
    ];

    /// For the legend.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Toolchain => "Go toolchain",
            Self::Standard => "standard library",
            Self::User => "other Go code",
            Self::Runtime => "Go runtime",
            Self::Collector => "garbage collector",
            Self::C => "C",
            Self::Kernel => "kernel",
            Self::Unknown => "not known",
            Self::Unnamed => "unnamed",
        }
    }

    /// The colour of the legend. All are light: the text on them is black, on any page.
    #[must_use]
    pub const fn colour(self) -> Rgb {
        match self {
            Self::Group => Rgb(0xc9, 0xcf, 0xd6),
            Self::Toolchain => Rgb(0x7f, 0xb8, 0xe6),
            Self::Standard => Rgb(0x6f, 0xcd, 0xb0),
            Self::User => Rgb(0xb6, 0xd9, 0x69),
            Self::Runtime => Rgb(0xf3, 0xc6, 0x5b),
            Self::Collector => Rgb(0xef, 0x96, 0x5a),
            Self::C => Rgb(0xdd, 0x9c, 0xc4),
            Self::Kernel => Rgb(0xb5, 0xa3, 0xdb),
            Self::Unknown => Rgb(0xbd, 0xb8, 0xae),
            Self::Unnamed => Rgb(0xd8, 0xd4, 0xcb),
        }
    }

    /// The colour of a frame: that of its origin, in a shade that its package chooses, so that
    /// neighbours of one package stand together and those of different packages apart.
    #[must_use]
    pub fn shade(self, name: &str) -> Rgb {
        if matches!(
            self,
            Self::Group | Self::Unnamed | Self::Kernel | Self::Unknown
        ) {
            return self.colour();
        }
        // FNV-1a: the same package has the same shade in every picture.
        let hash = package(name)
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let step = (hash >> 32) % 7;
        self.colour().lightened((step as f64 - 2.5) * 0.09)
    }

    /// The origin of a frame, by its name or by what stands for one. Of folded stacks there are names alone.
    #[must_use]
    pub fn of_frame(trace: &Trace, name: &str, file: &str, named: bool) -> Self {
        match named {
            true => match Self::of(name, file) {
                Self::C if trace.holds_counts() => Self::Unknown,
                origin => origin,
            },
            false if name.starts_with("[kernel") => Self::Kernel,
            false => Self::Unnamed,
        }
    }

    /// The origin of a named function.
    #[must_use]
    pub fn of(function: &str, file: &str) -> Self {
        if !is_go(function, file) {
            return Self::C;
        }
        let package = match function.contains('.') {
            true => package(function),
            // Labels of Go's assembly belong to the package of their file.
            false => package_of_file(file),
        };
        match package {
            "runtime" if is_collector(function) => Self::Collector,
            "runtime" => Self::Runtime,
            _ if under(package, "internal/runtime") || under(package, "runtime/internal") => {
                Self::Runtime
            }
            _ if function.starts_with("type:") || function.starts_with("go:") => Self::Runtime,
            _ if under(package, "cmd") => Self::Toolchain,
            _ if is_standard(package) => Self::Standard,
            // `main` of the toolchain's own programs comes from its folders.
            "main" if file.starts_with("cmd/") || file.contains("/src/cmd/") => Self::Toolchain,
            _ => Self::User,
        }
    }
}

fn is_go(function: &str, file: &str) -> bool {
    let extension = file.rsplit_once('.').map(|(_, extension)| extension);
    match extension {
        Some("go") => true,
        // Go's assembly has the functions of a package, C's has plain labels, as parts of the
        // runtime's have.
        Some("s") => function.contains('.') || is_standard(package_of_file(file)),
        // Wrappers that the compiler makes.
        _ if file == "<autogenerated>" => true,
        Some(_) => false,
        None => function.starts_with("type:.") || is_named_as_go(function),
    }
}

/// Without a file the name has to tell: Go's begin with the import path of a package, and that with a domain, or as
/// those of the standard library and the toolchain do. C++ has `::`, Java's paths begin otherwise, and what C's
/// compilers append stands behind names without a path.
fn is_named_as_go(function: &str) -> bool {
    const APPENDED: [&str; 6] = ["part", "isra", "constprop", "cold", "llvm", "lto_priv"];
    let package = package(function);
    let Some(rest) = function
        .strip_prefix(package)
        .and_then(|rest| rest.strip_prefix('.'))
    else {
        return false;
    };
    if function.contains("::") || APPENDED.contains(&rest.split('.').next().unwrap_or(rest)) {
        return false;
    }
    let domain = package
        .split_once('/')
        .is_some_and(|(first, _)| first.contains('.'));
    domain || package == "main" || under(package, "cmd") || is_standard(package)
}

/// The import path in a Go function's name: all up to the first dot after the last slash that
/// stands outside of type arguments.
fn package(function: &str) -> &str {
    let outside = function.find(['[', '(']).unwrap_or(function.len());
    let plain = function.get(..outside).unwrap_or(function);
    let base = plain.rfind('/').map_or(0, |slash| slash + 1);
    let dot = plain.get(base..).and_then(|base| base.find('.'));
    dot.and_then(|dot| plain.get(..base + dot)).unwrap_or(plain)
}

/// The import path of a file of the standard library: its folder, in GOROOT's `src` or, in programs
/// that are built with `-trimpath` as Go's own are, by itself.
fn package_of_file(file: &str) -> &str {
    let below = file.rsplit_once("/src/").map_or(file, |(_, below)| below);
    below.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn under(package: &str, root: &str) -> bool {
    package
        .strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The first elements of the standard library's import paths, Go 1.16 to 1.27.
const STANDARD: [&str; 51] = [
    "archive",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "simd",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
];

/// Whether an import path is one of the standard library.
#[must_use]
pub fn is_standard(package: &str) -> bool {
    let first = package.split('/').next().unwrap_or(package);
    STANDARD.binary_search(&first).is_ok()
}

/// Functions of the runtime that mark, sweep and scavenge, by the beginnings of their names.
fn is_collector(function: &str) -> bool {
    const STARTS: [&str; 21] = [
        "gc",
        "(*gc",
        "scan",
        "markroot",
        "greyobject",
        "grey",
        "bgsweep",
        "bgscavenge",
        "sweep",
        "(*sweep",
        "(*mspan).sweep",
        "mark",
        "shade",
        "wbBuf",
        "(*wbBuf)",
        "bulkBarrier",
        "(*pageAlloc).scav",
        "(*scavenge",
        "drainMark",
        "tryDeferToSpanScan",
        "(*spanQueue)",
    ];
    let name = function.strip_prefix("runtime.").unwrap_or(function);
    STARTS.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{COUNT_NS, Setting};

    #[test]
    fn names_alone_may_be_of_any_language() {
        let mut counts = Trace::default();
        counts.settings.push(Setting {
            key: counts.strings.push(COUNT_NS.as_bytes()),
            value: counts.strings.push(b"1000000"),
            source: crate::trace::StringId::EMPTY,
        });
        let origin = |trace: &Trace, name| Origin::of_frame(trace, name, "", true);
        assert_eq!(origin(&counts, "leaf"), Origin::Unknown);
        assert_eq!(origin(&counts, "main.work"), Origin::User);
        assert_eq!(origin(&Trace::default(), "leaf"), Origin::C);
    }

    #[test]
    fn functions_have_their_origin() {
        for (function, file, expected) in [
            ("runtime.gcDrain", "runtime/mgcmark.go", Origin::Collector),
            (
                "runtime.(*mspan).sweep",
                "runtime/mgcsweep.go",
                Origin::Collector,
            ),
            ("runtime.mallocgc", "runtime/malloc.go", Origin::Runtime),
            (
                "runtime.systemstack",
                "runtime/asm_amd64.s",
                Origin::Runtime,
            ),
            ("internal/runtime/maps.(*Map).Get", "x.go", Origin::Runtime),
            (
                "type:.eq.cmd/compile/internal/ssa.Value",
                "<autogenerated>",
                Origin::Runtime,
            ),
            (
                "cmd/compile/internal/ssa.Compile",
                "cmd/compile/internal/ssa/compile.go",
                Origin::Toolchain,
            ),
            ("main.main", "cmd/compile/main.go", Origin::Toolchain),
            ("main.main", "/home/me/x/main.go", Origin::User),
            (
                "net/http.(*Server).Serve",
                "/usr/local/go/src/net/http/server.go",
                Origin::Standard,
            ),
            (
                "slices.SortFunc[go.shape.[]example.com/x.T]",
                "slices/sort.go",
                Origin::Standard,
            ),
            ("example.com/x/net.Get", "get.go", Origin::User),
            ("netx.Get", "get.go", Origin::User),
            ("deflate", "zlib/deflate.c", Origin::C),
            ("memcpy", "", Origin::C),
            ("sort.part.0", "", Origin::C),
            ("std::sort.cold", "", Origin::C),
            ("java/lang/Thread.run", "", Origin::C),
            ("main.work", "", Origin::User),
            ("example.com/m.(*T).Do", "", Origin::User),
            ("net/http.(*Server).Serve", "", Origin::Standard),
            ("cmd/go/internal/work.(*Builder).Do", "", Origin::Toolchain),
            ("__memmove_avx", "memmove.s", Origin::C),
        ] {
            assert_eq!(Origin::of(function, file), expected, "{function}");
        }
    }

    #[test]
    fn packages_are_cut_from_names() {
        for (function, expected) in [
            ("main.main", "main"),
            ("net/http.(*Server).Serve", "net/http"),
            ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml%2ev3"),
            ("slices.Sort[go.shape.[]a/b.T]", "slices"),
            ("deflate", "deflate"),
        ] {
            assert_eq!(package(function), expected);
        }
    }

    #[test]
    fn one_package_has_one_shade() {
        let origin = Origin::Toolchain;
        let shade = |name| origin.shade(name);
        assert_eq!(
            shade("cmd/compile/internal/ssa.a"),
            shade("cmd/compile/internal/ssa.b")
        );
        assert_ne!(
            shade("cmd/compile/internal/ssa.a"),
            shade("cmd/compile/internal/noder.a")
        );
    }

    #[test]
    fn the_standard_library_is_sorted_for_the_search() {
        assert!(STANDARD.is_sorted());
    }
}

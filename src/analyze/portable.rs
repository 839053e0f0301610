//! A name in, the name that the same code has on another architecture out.
//!
//! `runtime.memmove.abi0` and `runtime.memmove`, `cmd/compile/internal/amd64.ssaGenValue` and
//! `cmd/compile/internal/arm64.ssaGenValue`, `__memmove_avx_unaligned_erms` and `memmove` do the
//! same work: whoever compares two runs wants one row of them. Names of source files are treated
//! alike: `asm_amd64.s`, `asm_arm64.s`.

use std::borrow::Cow;

/// What stands for an architecture that cannot be left out.
const ARCH: &str = "arch";

/// Architectures as Go and others write them. Longer ones stand before those that they contain.
const ARCHITECTURES: [&str; 4] = ["x86_64", "aarch64", "amd64", "arm64"];

/// Go's names of calling conventions.
const CONVENTIONS: [&str; 2] = [".abi0", ".abiinternal"];

/// The part of Go's assembler that is not named after `GOARCH`.
const ASSEMBLER: &str = "cmd/internal/obj/x86.";

/// Prefixes of functions of which a C library has one for each kind of processor.
const CHOSEN_AT_START: [&str; 4] = ["mem", "str", "wcs", "wmem"];

/// What glibc calls kinds of processors, and ways to use them.
const KINDS: [&str; 28] = [
    "a64fx",
    "aarch64",
    "advsimd",
    "asimd",
    "avx",
    "avx2",
    "avx512",
    "bsf",
    "ermsb",
    "erms",
    "evex",
    "evex256",
    "evex512",
    "falkor",
    "generic",
    "i386",
    "mops",
    "no",
    "nosimd",
    "oryon1",
    "rtm",
    "simd",
    "sse2",
    "sse4",
    "ssse3",
    "sve",
    "thunderx",
    "unaligned",
];

/// The name without what depends on the architecture. Nothing else of a name changes, so that two
/// functions of one program have one portable name only where they are variants of each other.
#[must_use]
pub fn portable(name: &str) -> Cow<'_, str> {
    let convention = CONVENTIONS.iter().find_map(|end| name.strip_suffix(end));
    let plain = convention.unwrap_or(name);
    if let Some(function) = chosen_at_start(plain) {
        return Cow::Borrowed(function);
    }
    if let Some(function) = plain.strip_prefix(ASSEMBLER) {
        return Cow::Owned(format!("cmd/internal/obj/{ARCH}.{function}"));
    }
    without_architecture(plain).map_or(Cow::Borrowed(plain), Cow::Owned)
}

/// `memmove` of `__memmove_avx_unaligned_erms`.
fn chosen_at_start(name: &str) -> Option<&str> {
    let (function, kinds) = name.trim_start_matches('_').split_once('_')?;
    let known = CHOSEN_AT_START
        .iter()
        .any(|start| function.starts_with(start));
    let letters = function.bytes().all(|byte| byte.is_ascii_lowercase());
    let kinds = kinds.split('_').all(|kind| {
        KINDS.contains(&kind) || kind.bytes().all(|byte| byte.is_ascii_digit()) && !kind.is_empty()
    });
    (known && letters && kinds).then_some(function)
}

/// `None` for a name without an architecture.
fn without_architecture(name: &str) -> Option<String> {
    let mut portable = String::new();
    let mut rest = name;
    while let Some((at, word)) = first_architecture(rest) {
        let (before, after) = rest.split_at(at);
        let after = after.get(word..).unwrap_or_default();
        // `add_amd64` is the `add` of a machine, `rt0_amd64_linux` keeps its parts apart.
        match before.strip_suffix('_') {
            Some(function) if !function.is_empty() && !after.starts_with('_') => {
                portable.push_str(function);
            }
            _ => {
                portable.push_str(before);
                portable.push_str(ARCH);
            }
        }
        rest = after;
    }
    if portable.is_empty() {
        return None;
    }
    portable.push_str(rest);
    Some(portable)
}

/// Where the first architecture stands, and how long its name is: a word of its own, or in
/// capitals anywhere, as in `rewriteValueAMD64_OpAdd64`.
fn first_architecture(text: &str) -> Option<(usize, usize)> {
    let is_word = |at: usize, length: usize| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + length..).and_then(|text| text.chars().next());
        ![before, after]
            .into_iter()
            .flatten()
            .any(char::is_alphanumeric)
    };
    let of_word = ARCHITECTURES.iter().flat_map(|word| {
        let found = text.match_indices(word);
        found.filter(|(at, _)| is_word(*at, word.len()))
    });
    let in_capitals = ["AMD64", "ARM64"]
        .iter()
        .flat_map(|word| text.match_indices(word));
    let found = of_word.chain(in_capitals);
    let found = found.map(|(at, word)| (at, word.len()));
    found.min_by_key(|&(at, length)| (at, std::cmp::Reverse(length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Names as Go 1.27's compile has them (`go tool nm`), and glibc 2.36 on either machine.
    const VARIANTS: [(&str, &[&str]); 12] = [
        (
            "cmd/compile/internal/arch.ssaGenValue",
            &[
                "cmd/compile/internal/amd64.ssaGenValue",
                "cmd/compile/internal/arm64.ssaGenValue",
            ],
        ),
        (
            "cmd/compile/internal/ssa.rewriteValuearch_OpAdd",
            &[
                "cmd/compile/internal/ssa.rewriteValueAMD64_OpAdd",
                "cmd/compile/internal/ssa.rewriteValueARM64_OpAdd",
            ],
        ),
        (
            "cmd/compile/internal/ssagen.simdarchIntrinsics.func1",
            &["cmd/compile/internal/ssagen.simdAMD64Intrinsics.func1"],
        ),
        (
            "cmd/internal/obj/arch.span6",
            &["cmd/internal/obj/x86.span6", "cmd/internal/obj/arm64.span6"],
        ),
        (
            "runtime.memmove",
            &["runtime.memmove", "runtime.memmove.abi0"],
        ),
        ("memmove", &["memmove", "memmove_amd64", "memmove_arm64"]),
        (
            "memmove",
            &[
                "__memmove_avx_unaligned_erms",
                "__memmove_evex512_unaligned",
                "__memmove_simd",
            ],
        ),
        ("strchr", &["__strchr_sse2_no_bsf", "__strchr_sse4_2"]),
        (
            "/go/src/runtime/asm.s",
            &["/go/src/runtime/asm_amd64.s", "/go/src/runtime/asm_arm64.s"],
        ),
        ("_rt0_arch_linux", &["_rt0_amd64_linux", "_rt0_arm64_linux"]),
        ("ld-linux-arch.so.2", &["ld-linux-x86_64.so.2"]),
        ("[stripped: libc-arch.so]", &["[stripped: libc-aarch64.so]"]),
    ];

    #[test]
    fn variants_of_a_function_have_one_name() {
        for (expected, names) in VARIANTS {
            for name in names {
                assert_eq!(portable(name), expected, "{name}");
            }
        }
    }

    #[test]
    fn what_only_looks_alike_keeps_its_name() {
        for name in [
            "",
            "main.main",
            "example.com/amd64x.F",
            "example.com/xarm64.F",
            "m.F[go.shape.int]",
            "memmove_of_mine",
            "mem_",
            "stream_avx.Open",
            "strings.(*Builder).WriteString",
            "runtime.memclrNoHeapPointers",
            "é_avx",
        ] {
            assert_eq!(portable(name), name);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_name(name in any::<String>()) {
            let machine = format!("{name}/amd64.F");
            prop_assert!(portable(&machine).ends_with("/arch.F"), "{machine}");
        }
    }
}

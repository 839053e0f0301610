//! How Go, cgo and C++ call what linkers call otherwise.

use crate::binary::linkable;

/// What the source calls a symbol; `None` where it is the same.
///
/// `__cgo_97b20abe7e66_Cfunc_deflate` is cgo's wrapper of `C.deflate`; `__ZN4frob5closeEl` is
/// `frob::close(long)`.
pub(super) fn in_source(symbol: &str) -> Option<String> {
    if let Some(name) = of_cgo(symbol) {
        return Some(name);
    }
    let mangled = symbol.strip_prefix('_').unwrap_or(symbol);
    let mangled = if mangled.starts_with("_Z") {
        mangled
    } else {
        symbol
    };
    if !mangled.starts_with("_Z") {
        return None;
    }
    linkable::in_source(mangled.as_bytes())
}

/// Who needs a symbol, as the source calls it: `C.deflate` of
/// `__cgo_97b20abe7e66_Cfunc_deflate in _x002.o`.
pub(super) fn user(text: &str) -> String {
    let words = text.split([' ', ':', '(', ')', ',']);
    let name = words.clone().find_map(of_cgo);
    let name = name.or_else(|| {
        words
            .clone()
            .find(|word| word.contains("_Z"))
            .and_then(in_source)
    });
    name.unwrap_or_else(|| text.to_owned())
}

/// `_cgo_<hash>_Cfunc_NAME`, and what older Go wrote: `_Cfunc_NAME`; with and without the low line
/// of Mach-O. `Cmacro`, `Cvar` likewise.
fn of_cgo(symbol: &str) -> Option<String> {
    let bare = symbol.trim_start_matches('_');
    let rest = match bare.strip_prefix("cgo_") {
        Some(hashed) => {
            let (hash, rest) = hashed.split_once('_')?;
            let is_hash = hash.len() >= 8 && hash.chars().all(|c| c.is_ascii_hexdigit());
            is_hash.then_some(rest)?
        }
        None => bare,
    };
    let kinds = ["Cfunc_", "C2func_", "Cmacro_", "Cvar_"];
    let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    (!name.is_empty()).then(|| format!("C.{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_of_cgo_are_what_they_wrap() {
        let c = |symbol| in_source(symbol).unwrap_or_default();
        assert_eq!(
            c("_cgo_1ed125c3635e_Cfunc_compressBound"),
            "C.compressBound"
        );
        assert_eq!(c("__cgo_97b20abe7e66_Cfunc_frob_close"), "C.frob_close");
        assert_eq!(c("__Cfunc_deflate"), "C.deflate");
        assert_eq!(c("_cgo_1ed125c3635e_C2func_open"), "C.open");
        assert_eq!(c("_deflate"), "");
        assert_eq!(c("_cgo_topofstack"), "");
    }

    #[test]
    fn cpp_is_demangled_in_both_formats() {
        let source = Some("frob::close(long)".to_owned());
        assert_eq!(in_source("_ZN4frob5closeEl"), source);
        assert_eq!(in_source("__ZN4frob5closeEl"), source);
        assert_eq!(in_source("_Zzz"), None);
    }

    #[test]
    fn users_lose_their_objects() {
        for text in [
            "__cgo_97b20abe7e66_Cfunc_frob_close in _x002.o",
            "/tmp/go-link-1/000001.o:__cgo_97b20abe7e66_Cfunc_frob_close",
        ] {
            assert_eq!(user(text), "C.frob_close");
        }
        assert_eq!(user("_main in a.o"), "_main in a.o");
    }
}

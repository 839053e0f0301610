//! Libraries that are known by the names of their symbols, for machines where no file of them is.

use crate::binary::linkable::Format;

/// A library by the names that begin its symbols.
pub(super) struct Known {
    /// Without the low line of Mach-O.
    begins: &'static [&'static str],
    /// The flag for macOS; empty where it has none.
    macos: &'static str,
    /// The flag for Linux; likewise.
    linux: &'static str,
    /// Debian's package with what is needed for linking.
    pub(super) package: Option<&'static str>,
}

impl Known {
    pub(super) const fn flag(&self, format: Format) -> Option<&'static str> {
        let flag = match format {
            Format::MachO => self.macos,
            Format::Elf => self.linux,
        };
        if flag.is_empty() { None } else { Some(flag) }
    }
}

macro_rules! known {
    ($($macos:literal $linux:literal $package:expr => $($begins:literal)+;)+) => {
        const KNOWN: &[Known] = &[$(Known {
            begins: &[$($begins),+],
            macos: $macos,
            linux: $linux,
            package: $package,
        }),+];
    };
}

// An `=` stands before a whole name.
known! {
    "-lz" "-lz" Some("zlib1g-dev") => "deflate" "inflate" "=compress" "=uncompress" "=compressBound" "=crc32"
        "=adler32" "gzopen" "gzread" "gzwrite" "gzclose" "=zlibVersion" "zlib";
    "-lbz2" "-lbz2" Some("libbz2-dev") => "BZ2_";
    "-llzma" "-llzma" Some("liblzma-dev") => "lzma_";
    "-lzstd" "-lzstd" Some("libzstd-dev") => "ZSTD_" "ZDICT_";
    "-lsqlite3" "-lsqlite3" Some("libsqlite3-dev") => "sqlite3_";
    "-lcurl" "-lcurl" Some("libcurl4-openssl-dev") => "curl_";
    "-lxml2" "-lxml2" Some("libxml2-dev") => "xmlParse" "xmlFree" "xmlNode" "xmlDoc";
    "-liconv" "" None => "iconv" "libiconv";
    "-lresolv" "-lresolv" None => "res_9_" "=res_query" "=res_search" "__res_" "ns_parse";
    "-lcrypto" "-lcrypto" Some("libssl-dev") => "EVP_" "OPENSSL_" "CRYPTO_" "RSA_" "BN_" "X509_" "ERR_" "RAND_";
    "-lssl" "-lssl" Some("libssl-dev") => "SSL_" "TLS_";
    "-lpcap" "-lpcap" Some("libpcap-dev") => "pcap_";
    "-lncurses" "-lncurses" Some("libncurses-dev") => "=initscr" "=endwin" "wattr" "newwin";
    "" "-lm" None => "=pow" "=sin" "=cos" "=tan" "=exp" "=log" "=sqrt" "=floor" "=ceil" "=fmod" "=atan2" "=log2" "=log10" "=round";
    "" "-ldl" None => "=dlopen" "=dlsym" "=dlclose" "=dlerror";
    "" "-lrt" None => "=clock_gettime" "shm_" "mq_" "=timer_create";
    "" "-lpthread" None => "pthread_" "sem_";
    "-framework CoreFoundation" "" None => "CF" "kCF" "__CFConstantStringClassReference";
    "-framework Security" "" None => "Sec" "kSec" "SSLCopy" "Authorization";
    "-framework SystemConfiguration" "" None => "SCDynamicStore" "SCNetwork" "SCPreferences" "kSC";
    "-framework IOKit" "" None => "IOService" "IORegistry" "IOHID" "IOObject" "IOPS" "kIOMaster";
    "-framework CoreServices" "" None => "FSEvent" "LSOpen" "UTType" "LSCopy";
    "-framework CoreGraphics" "" None => "CGDisplay" "CGEvent" "CGWindow" "CGImage" "CGColor" "CGContext";
    "-framework Foundation" "" None => "OBJC_CLASS_$_NS" "NSLog" "NSTemp" "NSHome";
    "-framework AppKit" "" None => "OBJC_CLASS_$_NSApplication" "OBJC_CLASS_$_NSWindow" "NSApp" "NSBeep";
    "-framework OpenGL" "-lGL" Some("libgl-dev") => "glBegin" "glClear" "glGen" "glBind" "glEnable" "glDraw" "glCreate";
    "-lobjc" "" None => "objc_" "OBJC_CLASS_$_NSObject";
    "-lc++" "-lstdc++" Some("g++") => "std::" "operator new" "operator delete" "_ZNSt" "_ZNKSt" "_ZSt" "_Znwm" "_Zdl" "__cxa_"
        "__gxx_personality" "vtable for std::" "vtable for __cxxabiv1" "_ZTVN10__cxxabiv1";
}

/// The library that a symbol belongs to by its name: by the longest part of it that is known.
pub(super) fn library(symbol: &str, format: Format) -> Option<&'static Known> {
    let bare = match symbol.strip_prefix('_') {
        Some(bare) if format == Format::MachO => bare,
        _ => symbol,
    };
    let fits = |known: &'static Known| {
        let lengths = known
            .begins
            .iter()
            .filter_map(|begins| match begins.strip_prefix('=') {
                Some(whole) => (whole == bare).then_some(usize::MAX),
                None => bare.starts_with(begins).then_some(begins.len()),
            });
        let length = lengths.max()?;
        known.flag(format).map(|_| (length, known))
    };
    let best = KNOWN
        .iter()
        .filter_map(fits)
        .max_by_key(|(length, _)| *length);
    best.map(|(_, known)| known)
}

/// Whether the SDK of macOS has a library that `-l` did not find.
pub(super) fn is_of_macos(library: &str) -> bool {
    let flag = format!("-l{library}");
    const OTHERS: [&str; 5] = ["-lSystem", "-lm", "-lpthread", "-ldl", "-lc"];
    // Of what is known, these have to be fetched.
    const FETCHED: [&str; 4] = ["-llzma", "-lzstd", "-lcrypto", "-lssl"];
    let known = KNOWN.iter().any(|known| known.macos == flag);
    (known && !FETCHED.contains(&flag.as_str())) || OTHERS.contains(&flag.as_str())
}

/// Debian's package for a library that `-l` did not find.
pub(super) fn package(library: &str) -> Option<&'static str> {
    let flag = format!("-l{library}");
    let known = KNOWN.iter().find(|known| known.linux == flag)?;
    known.package
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_tell_their_library() {
        let flag = |symbol, format| library(symbol, format).and_then(|known| known.flag(format));
        for (symbol, expected) in [
            ("_deflateInit2_", Some("-lz")),
            ("_compressBound", Some("-lz")),
            ("_compressBoundary", None),
            ("_CFRelease", Some("-framework CoreFoundation")),
            ("_OBJC_CLASS_$_NSWindow", Some("-framework AppKit")),
            ("_OBJC_CLASS_$_NSString", Some("-framework Foundation")),
            ("__ZNSt3__112basic_string", Some("-lc++")),
            ("_pow", None),
        ] {
            assert_eq!(flag(symbol, Format::MachO), expected, "{symbol}");
        }
        assert_eq!(flag("pow", Format::Elf), Some("-lm"));
        assert_eq!(flag("std::cout", Format::Elf), Some("-lstdc++"));
        assert_eq!(flag("CFRelease", Format::Elf), None);
        assert_eq!(flag("frob_open", Format::Elf), None);
        assert_eq!(package("z"), Some("zlib1g-dev"));
        assert_eq!(package("frob"), None);
    }
}

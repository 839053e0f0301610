//! Messages of what starts and runs programs: dyld, ld.so, shells, kernels, Rosetta, the go command.
//!
//! ```text
//! dyld[1]: Library not loaded: @rpath/libz.1.dylib
//!   Referenced from: <UUID> /path/a
//!   Reason: tried: '/x/libz.1.dylib' (no such file), '/y' (mach-o file, but is an incompatible architecture (have 'arm64', need 'x86_64'))
//! dyld[1]: Symbol not found: _deflate
//!   Referenced from: ...     Expected in: <UUID> /usr/lib/libz.1.dylib
//! ./a: error while loading shared libraries: libz.so.1: cannot open shared object file: No such file or directory
//! ./a: /lib/libz.so.1: version `ZLIB_1.3' not found (required by ./a)
//! fork/exec ./a: bad CPU type in executable       fork/exec ./a: exec format error
//! zsh: killed     ./a      Killed: 9      signal: killed     EXC_CRASH (SIGKILL (Code Signature Invalid))
//! assertion failed [arm_interval().contains(address)]: code fragment does not contain the given arm address
//! ```

use super::{Open, Reader, What, after, quoted};

/// What a line begins.
pub(super) fn read(reader: &mut Reader, line: &str) -> Option<What> {
    if let Some(what) = loader(line) {
        reader.open = Open::Loader;
        return Some(what);
    }
    of_linux(line)
        .or_else(|| not_started(line))
        .or_else(|| killed(line))
}

fn loader(line: &str) -> Option<What> {
    if let Some(library) = after(line, "Library not loaded: ") {
        return Some(What::NotLoaded {
            library: library.trim().to_owned(),
            user: None,
            tried: Vec::new(),
        });
    }
    let symbol = after(line, "Symbol not found: ")?;
    // Older ones put it in brackets: `Symbol not found: (_deflate)`.
    let symbol = symbol.trim().trim_start_matches('(').trim_end_matches(')');
    Some(What::NotBound {
        symbol: symbol.split(',').next().unwrap_or(symbol).to_owned(),
        user: None,
        file: None,
        library: None,
    })
}

/// Whether a line goes on with what the loader said.
pub(super) fn add(reader: &mut Reader, line: &str) -> bool {
    let text = line.trim_start();
    if text.len() == line.len() || text.is_empty() {
        return false;
    }
    let Some(what) = reader.last() else {
        return true;
    };
    let path = |text: &str| Some(without_uuid(text).to_owned());
    match what {
        What::NotLoaded { user, tried, .. } => {
            if let Some(by) = text.strip_prefix("Referenced from: ") {
                *user = path(by);
            } else if let Some(reason) = text.strip_prefix("Reason: ") {
                let list = reason.strip_prefix("tried: ").unwrap_or(reason);
                *tried = places(list);
            }
        }
        What::NotBound { user, library, .. } => {
            if let Some(by) = text.strip_prefix("Referenced from: ") {
                *user = path(by);
            } else if let Some(place) = text.strip_prefix("Expected in: ") {
                *library = path(place);
            }
        }
        _ => return false,
    }
    true
}

fn without_uuid(text: &str) -> &str {
    let behind = text
        .strip_prefix('<')
        .and_then(|text| text.split_once("> "));
    behind.map_or(text, |(_, path)| path).trim()
}

/// `'/x' (no such file), '/y' (why not)`: why may have brackets and quotes of its own.
fn places(list: &str) -> Vec<(String, String)> {
    let mut places = Vec::new();
    let mut rest = list;
    while let Some((path, after)) = quoted(rest) {
        let Some(after) = after.trim_start().strip_prefix('(') else {
            break;
        };
        let mut depth = 1_usize;
        let end = after.find(|letter| {
            match letter {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let end = end.unwrap_or(after.len());
        let why = after.get(..end).unwrap_or_default();
        places.push((path.to_owned(), why.to_owned()));
        let behind = after.get(end..).unwrap_or_default();
        rest = behind
            .trim_start_matches(')')
            .trim_start_matches(',')
            .trim_start();
    }
    places
}

fn of_linux(line: &str) -> Option<What> {
    if let Some((user, rest)) = line.split_once(": error while loading shared libraries: ") {
        let (library, why) = rest.split_once(": ")?;
        return Some(What::NotLoaded {
            library: library.to_owned(),
            user: Some(user.to_owned()),
            tried: vec![(library.to_owned(), why.to_owned())],
        });
    }
    if let Some((before, rest)) = line.split_once(": version `") {
        let (version, rest) = rest.split_once("' not found (required by ")?;
        // `PROGRAM: LIBRARY`; PROGRAM is what was called, and who requires it may be a library.
        let (_, library) = before.split_once(": ")?;
        return Some(What::NoVersion {
            library: library.to_owned(),
            version: version.to_owned(),
            user: rest.trim_end_matches(')').to_owned(),
        });
    }
    let (user, rest) = line.split_once(": symbol lookup error: ")?;
    let (file, symbol) = rest.split_once(": undefined symbol: ")?;
    let symbol = symbol.split(", version ").next().unwrap_or(symbol);
    Some(What::NotBound {
        symbol: symbol.trim().to_owned(),
        user: Some(match file == user {
            true => user.to_owned(),
            false => format!("{user} ({file})"),
        }),
        file: Some(file.to_owned()),
        library: None,
    })
}

/// Whether a kernel, a runtime or a compiler says that there was not enough memory.
pub(super) fn tells_of_memory(line: &str) -> bool {
    const WORDS: [&str; 5] = [
        "out of memory",
        "oom-kill:",
        "cannot allocate memory",
        "virtual memory exhausted",
        "std::bad_alloc",
    ];
    let lower = line.to_ascii_lowercase();
    WORDS.iter().any(|words| lower.contains(words))
}

fn not_started(line: &str) -> Option<What> {
    let lower = line.to_ascii_lowercase();
    let cpu = lower.contains("bad cpu type in executable");
    if !cpu && !lower.contains("exec format error") {
        return None;
    }
    // `fork/exec PATH: why`, `bash: PATH: cannot execute binary file: why`, `zsh: why: PATH`.
    let program = program_of(line).map(str::to_owned);
    Some(if cpu {
        What::BadCpu(program)
    } else {
        What::BadFormat(program)
    })
}

fn program_of(line: &str) -> Option<&str> {
    if let Some(path) = after(line, "fork/exec ").or_else(|| after(line, "exec: ")) {
        let path = path.split(": ").next()?;
        return Some(path.trim_matches(['"', '\'', ':']));
    }
    let mut parts = line.rsplit(": ").map(str::trim);
    parts.find(|part| part.contains('/') && !part.contains(' '))
}

fn killed(line: &str) -> Option<What> {
    let lower = line.to_ascii_lowercase();
    let signature = lower.contains("code signature invalid")
        || lower.contains("namespace codesigning")
        || lower.contains("code signature in")
        || lower.contains("invalid signature (code or signature have been modified)");
    let nine = lower.contains("killed: 9") || lower.starts_with("zsh: killed");
    if signature || nine {
        // Shells name the command behind it.
        let command = line
            .strip_prefix("zsh: killed")
            .or_else(|| after(line, "Killed: 9"));
        let program = command.and_then(|command| command.split_whitespace().next());
        let program = program.or_else(|| after(line, "code signature in ").and_then(signed_file));
        let program = program.filter(|path| path.contains('/'));
        return Some(What::Killed {
            program: program.map(str::to_owned),
            signature,
            // zsh says so on every system.
            macos: (signature || !lower.starts_with("zsh: killed")).then_some(true),
        });
    }
    let rosetta = lower.contains("rosetta error:")
        || (lower.contains("assertion failed") && lower.contains("arm_interval"))
        || (lower.contains("assertion failed") && lower.contains("staterecovery.cpp"))
        || lower.contains("code fragment does not contain the given arm");
    if rosetta {
        return Some(What::Translator(line.trim().to_owned()));
    }
    let killed = lower.trim_end().ends_with("signal: killed");
    killed.then(|| What::Killed {
        program: line
            .rsplit_once(": signal: killed")
            .and_then(|(before, _)| {
                let program = before.rsplit([' ', ':']).find(|word| !word.is_empty())?;
                Some(program.to_owned())
            }),
        signature: false,
        macos: Some(false),
    })
}

/// `code signature in (PATH)` and `code signature in <UUID> 'PATH'`.
fn signed_file(text: &str) -> Option<&str> {
    if let Some(path) = text.strip_prefix('(') {
        return path.split(')').next();
    }
    quoted(text.get(text.find('\'')?..)?).map(|(path, _)| path)
}

//! Stubs: what they export, for each target, with what they have inlined.

use super::wanted::Seen;
use super::{Arch, Format, Kind, Linkable, Wanted};
use crate::binary::tbd::{Library, Stub};

pub(super) fn read(stub: &Stub, wanted: &Wanted) -> Linkable {
    let mut found = Linkable::new(Kind::Stub(stub.version), Format::MachO);
    let Some(main) = stub.library() else {
        return found;
    };
    found.own_name = Some(main.install_name.clone());
    for target in &main.targets {
        let platform = Some(target.platform.clone());
        found.part(Arch::parse(&target.arch), platform);
    }
    // What is re-exported and inlined is read here; what is elsewhere goes out by its name. A
    // library is looked into once, so that circles end.
    let mut open = vec![main];
    let mut known: Vec<&str> = Vec::new();
    while let Some(library) = open.pop() {
        if known.contains(&library.install_name.as_str()) {
            continue;
        }
        known.push(&library.install_name);
        exports(library, &mut found, wanted);
        for (targets, names) in &library.reexported {
            for name in names {
                let inlined = |one: &&Library| one.install_name == *name;
                match stub.libraries.iter().find(inlined) {
                    Some(inlined) => open.push(inlined),
                    None => found.reexported.extend(
                        targets
                            .iter()
                            .map(|target| (Some(Arch::parse(&target.arch)), name.clone())),
                    ),
                }
            }
        }
    }
    found.reexported.dedup();
    found
}

fn exports(library: &Library, found: &mut Linkable, wanted: &Wanted) {
    if wanted.is_empty() {
        return;
    }
    for group in &library.exports {
        let names = group.symbols.iter();
        let has: Vec<_> = names
            .map(|name| name.strip_prefix('_').unwrap_or(name))
            .flat_map(|name| wanted.matching(name.as_bytes(), Seen::Defined))
            .collect();
        for target in &group.targets {
            let platform = Some(target.platform.clone());
            found
                .part(Arch::parse(&target.arch), platform)
                .note(has.iter().cloned());
        }
    }
}

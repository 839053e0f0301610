//! Rules for imports: each has one place, each place one stub, and both are of one symbol.
//!
//! What a stub is of is said three times: by the pointer that it jumps through and what is bound
//! there, by its entry in the table of indirect symbols, and by the pointer's entry. The first
//! decides what happens; the others are what tools show.

use super::bindings::provider_name;
use super::rule::{Finding, Rule};
use super::text;
use crate::binary::macho::{
    Bind, How, Indirect, MachO, NoStub, Provider, Section, SectionType, Stub, Symbol, Symbols,
};
use crate::binary::{Error, Svma};
use std::collections::{BTreeMap, BTreeSet};

/// What a slice says of its imports.
struct Tables<'i, 'a> {
    image: &'i MachO<'a>,
    binds: Vec<Bind<'a>>,
    bound: BTreeMap<Svma, &'a [u8]>,
    symbols: Symbols<'a>,
    indirect: Vec<Indirect>,
}

pub(super) fn check(image: &MachO<'_>) -> Vec<Finding> {
    match Tables::of(image) {
        Ok(tables) => tables.check(),
        Err(error) => vec![Finding {
            rule: Rule::TableUnread,
            section: Some("__LINKEDIT".to_owned()),
            offset: image.in_file(image.segment("__LINKEDIT").map_or(0, |one| one.offset)),
            expected: "tables of symbols, imports and exports".to_owned(),
            found: error.to_string(),
        }],
    }
}

impl<'i, 'a> Tables<'i, 'a> {
    fn of(image: &'i MachO<'a>) -> Result<Self, Error> {
        image.exports()?;
        let binds = image.binds()?;
        // A pointer that is filled twice is complained of once, and else taken as first filled.
        let mut bound = BTreeMap::new();
        for bind in binds.iter().filter(|bind| bind.how != How::Weak) {
            if let Some(slot) = bind.slot {
                bound.entry(slot).or_insert(bind.symbol);
            }
        }
        Ok(Self {
            image,
            bound,
            symbols: image.symbols()?,
            indirect: image.indirect_symbols()?,
            binds,
        })
    }

    fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.libraries(&mut findings);
        self.places(&mut findings);
        for section in self.image.sections() {
            match section.kind() {
                SectionType::Pointers | SectionType::LazyPointers => {
                    self.pointers(section, &mut findings);
                }
                SectionType::Stubs => self.size(section, &mut findings),
                _ => {}
            }
        }
        let stubs = self.image.stubs();
        let reached = self.reached(&stubs);
        for stub in &stubs {
            self.stub(stub, &reached, &mut findings);
        }
        findings
    }

    fn libraries(&self, findings: &mut Vec<Finding>) {
        let paths: Vec<String> = self.image.dylibs().map(|dylib| text(dylib.path)).collect();
        let count = paths.len() as u64;
        for bind in &self.binds {
            let right = match bind.provider {
                Provider::Library(number) => (1..=count).contains(&number),
                Provider::Unknown(_) => false,
                _ => true,
            };
            if !right {
                findings.push(Finding {
                    rule: Rule::BindLibrary,
                    section: bind.slot.and_then(|slot| self.section_of(slot)),
                    offset: self.image.in_file(bind.at.0),
                    expected: format!("a library from 1 to {count} for {}", text(bind.symbol)),
                    found: provider_name(bind.provider, &paths),
                });
            }
        }
    }

    fn section_of(&self, address: Svma) -> Option<String> {
        self.image.section_at(address).map(Section::full_name)
    }

    fn places(&self, findings: &mut Vec<Finding>) {
        let mut filled: BTreeMap<Svma, &Bind<'_>> = BTreeMap::new();
        for bind in &self.binds {
            let segment = self.image.segments().get(bind.segment);
            let inside = segment.is_some_and(|segment| {
                let end = bind.into.checked_add(8);
                segment.initial.writable() && end.is_some_and(|end| end <= segment.size)
            });
            let Some(slot) = bind.slot.filter(|_| inside) else {
                findings.push(Finding {
                    rule: Rule::BindPlace,
                    section: segment.map(|segment| segment.name.clone()),
                    offset: self.image.in_file(bind.at.0),
                    expected: format!(
                        "{} to be put into a segment that may be written to",
                        text(bind.symbol)
                    ),
                    found: match segment {
                        Some(segment) => format!("{:#x} in {}", bind.into, segment.name),
                        None => format!("segment {}", bind.segment),
                    },
                });
                continue;
            };
            // What is defined weakly is bound first here, and then to whoever has it first.
            if bind.how == How::Weak {
                continue;
            }
            if let Some(earlier) = filled.insert(slot, bind) {
                findings.push(Finding {
                    rule: Rule::SlotTwice,
                    section: self.section_of(slot),
                    offset: self.image.in_file(bind.at.0),
                    expected: format!("{slot} to be filled with {}", text(earlier.symbol)),
                    found: format!("filled with {}, too", text(bind.symbol)),
                });
            }
        }
    }

    /// The symbol that the table of indirect symbols has for an entry of a section; `None` for
    /// one that is of this file alone; else what is wrong with the entry.
    fn named(&self, section: &Section<'_>, number: u64) -> Result<Option<Symbol<'a>>, String> {
        let index = u64::from(section.reserved1).saturating_add(number);
        let entry = usize::try_from(index)
            .ok()
            .and_then(|at| self.indirect.get(at));
        match entry {
            Some(Indirect::Private) => Ok(None),
            Some(Indirect::Symbol(number)) => match self.symbols.get(*number) {
                Some(symbol) => Ok(Some(symbol)),
                None => Err(format!("symbol {number} of {}", self.symbols.len())),
            },
            None => Err(format!("entry {index} of {}", self.indirect.len())),
        }
    }

    fn pointers(&self, section: &Section<'_>, findings: &mut Vec<Finding>) {
        let count = section.size / 8;
        for number in 0..count.min(section.data.len() as u64) {
            let into = number.saturating_mul(8);
            let slot = Svma(section.address.0.saturating_add(into));
            let offset = self.image.in_file(section.offset.saturating_add(into));
            let bound = self.bound.get(&slot);
            let named = self.named(section, number);
            let mut complain = |rule, expected, found| {
                findings.push(Finding {
                    rule,
                    section: Some(section.full_name()),
                    offset,
                    expected,
                    found,
                });
            };
            match (named, bound) {
                (Err(beyond), _) => {
                    let expected = "an entry in the table of indirect symbols".to_owned();
                    complain(Rule::IndirectSymbol, expected, beyond);
                }
                // An address of the file itself, or an import that is defined here, too.
                (Ok(None), _) => {}
                (Ok(Some(symbol)), None) if !symbol.is_defined() => {
                    let expected = format!("{slot} to be filled with {}", text(symbol.name));
                    complain(Rule::SlotUnbound, expected, "nothing".to_owned());
                }
                (Ok(Some(symbol)), Some(bound)) if symbol.name != *bound => {
                    let found = format!("{} in the table of indirect symbols", text(symbol.name));
                    complain(Rule::IndirectSymbol, text(bound), found);
                }
                _ => {}
            }
        }
    }

    /// Whether an address is one of a pointer that is filled when the file is loaded.
    fn is_pointer(&self, address: Svma) -> bool {
        let section = self.image.section_at(address).filter(|section| {
            matches!(
                section.kind(),
                SectionType::Pointers | SectionType::LazyPointers
            )
        });
        let into = section.and_then(|section| address.offset_from(section.address));
        into.is_some_and(|into| into % 8 == 0)
    }

    /// The symbols that a stub of their name reaches.
    fn reached(&self, stubs: &[Stub<'_, 'a>]) -> BTreeSet<&'a [u8]> {
        let right = stubs.iter().filter_map(|stub| {
            let bound = *self.bound.get(&stub.target.ok()?)?;
            let named = self.named(stub.section, stub.number.into()).ok()??;
            (named.name == bound).then_some(bound)
        });
        right.collect()
    }

    fn size(&self, section: &Section<'_>, findings: &mut Vec<Finding>) {
        let Some(size) = self.image.stub_size(section) else {
            return;
        };
        let rest = section.size.checked_rem(size as u64).unwrap_or(0);
        if rest != 0 {
            findings.push(Finding {
                rule: Rule::StubSize,
                section: Some(section.full_name()),
                offset: self.image.in_file(section.header.0.saturating_add(40)),
                expected: format!("a multiple of {size} bytes"),
                found: format!("{} bytes, {rest} too many", section.size),
            });
        }
    }

    fn stub(&self, stub: &Stub<'_, 'a>, reached: &BTreeSet<&[u8]>, findings: &mut Vec<Finding>) {
        let into = stub.address.0.saturating_sub(stub.section.address.0);
        let named = self.named(stub.section, stub.number.into());
        let own = match &named {
            Ok(Some(symbol)) => text(symbol.name),
            _ => format!("stub {}", stub.number),
        };
        let mut complain = |rule, expected, found| {
            findings.push(Finding {
                rule,
                section: Some(stub.section.full_name()),
                offset: self.image.in_file(stub.section.offset.saturating_add(into)),
                expected,
                found,
            });
        };
        let target = match stub.target {
            Ok(target) => target,
            Err(why) => {
                let (rule, found) = no_stub(stub.code, why);
                complain(rule, format!("a jump through the pointer of {own}"), found);
                return;
            }
        };
        match (named, self.bound.get(&target)) {
            (Err(beyond), _) => {
                let expected = "an entry in the table of indirect symbols".to_owned();
                complain(Rule::IndirectSymbol, expected, beyond);
            }
            (Ok(Some(symbol)), Some(bound)) if symbol.name != *bound => {
                // Code or table: where another stub reaches this symbol, the table is wrong, and
                // where nothing binds the symbol it cannot be the code.
                let is_bound = self.bound.values().any(|name| *name == symbol.name);
                if is_bound && !reached.contains(symbol.name) {
                    let found = format!("that of {} at {target}", text(bound));
                    complain(Rule::StubTarget, format!("the pointer of {own}"), found);
                } else {
                    let found = format!("{own} in the table of indirect symbols");
                    complain(Rule::IndirectSymbol, text(bound), found);
                }
            }
            (Ok(_), None) if !self.is_pointer(target) => {
                let found = format!("{target}, where none is");
                complain(Rule::StubTarget, format!("the pointer of {own}"), found);
            }
            _ => {}
        }
    }
}

fn no_stub(code: &[u8], why: NoStub) -> (Rule, String) {
    match why {
        NoStub::Zeroes | NoStub::Padding => (Rule::StubEmpty, why.to_string()),
        NoStub::OtherCode => {
            let code: Vec<String> = code.iter().map(|byte| format!("{byte:02x}")).collect();
            (Rule::StubCode, code.join(" "))
        }
    }
}

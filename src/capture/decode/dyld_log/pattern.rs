//! Matches a line, or its beginning, against a pattern of words, numbers and names.
//!
//! A name ends at the first or the last place of the word that follows it, and is never tried again:
//! no line takes longer than its length, whatever it holds.

use memchr::memmem;

/// A part of a pattern.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// These bytes.
    Word(&'static str),
    /// Blanks, or none.
    Blanks,
    /// A number in hexadecimal digits, so many at least.
    Hex(usize),
    /// A number in decimal digits.
    Number,
    /// A UUID, or `no uuid`.
    Uuid,
    /// `rwx`, with a point for what is not allowed.
    Rights,
    /// A name of up to 16 bytes without a blank, then a blank.
    Segment,
    /// Anything up to the first place of a word, which ends it.
    Until(&'static str),
    /// Anything up to the last place of a word, which ends it.
    UntilLast(&'static str),
    /// Anything up to the end.
    Rest,
}

/// How text fits a pattern.
#[derive(Debug)]
pub(super) enum Fit<'a> {
    /// It does not.
    No,
    /// It ends where the pattern goes on.
    Begun,
    /// It does.
    Whole(Found<'a>),
}

/// A pattern from its notation: bytes that are as they are, and
///
/// ```text
/// %xN  a number in hexadecimal, N digits at least    %n  a number in decimal
/// %f   anything up to the first place of the bytes that follow   %l  up to the last
/// %u   a UUID   %r  rights   %s  the name of a segment   %_  blanks   %*  all the rest
/// ```
pub(super) fn pattern(text: &'static str) -> Vec<Part> {
    let mut pieces = text.split('%');
    let mut parts: Vec<Part> = pieces
        .next()
        .filter(|word| !word.is_empty())
        .map(Part::Word)
        .into_iter()
        .collect();
    for piece in pieces {
        let (sign, behind) = piece.split_at_checked(1).unwrap_or((piece, ""));
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after_digits) = behind.split_at_checked(digits).unwrap_or_default();
        let (part, behind) = match sign {
            "x" => (Part::Hex(digits.parse().unwrap_or(1)), after_digits),
            "n" => (Part::Number, behind),
            "f" => (Part::Until(behind), ""),
            "l" => (Part::UntilLast(behind), ""),
            "u" => (Part::Uuid, behind),
            "r" => (Part::Rights, behind),
            "s" => (Part::Segment, behind),
            "_" => (Part::Blanks, behind),
            _ => (Part::Rest, behind),
        };
        parts.push(part);
        if !behind.is_empty() {
            parts.push(Part::Word(behind));
        }
    }
    parts
}

/// The numbers and names in a line, in their order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found<'a> {
    numbers: [u64; 4],
    number_count: usize,
    names: [&'a [u8]; 4],
    name_count: usize,
}

impl<'a> Found<'a> {
    /// A number; 0 where there are not so many.
    pub(super) fn number(&self, at: usize) -> u64 {
        self.numbers.get(at).copied().unwrap_or(0)
    }

    /// A name; empty where there are not so many.
    pub(super) fn name(&self, at: usize) -> &'a [u8] {
        self.names.get(at).copied().unwrap_or_default()
    }

    fn add_number(&mut self, number: u64) {
        if let Some(room) = self.numbers.get_mut(self.number_count) {
            *room = number;
        }
        self.number_count = self.number_count.saturating_add(1);
    }

    fn add_name(&mut self, name: &'a [u8]) {
        if let Some(room) = self.names.get_mut(self.name_count) {
            *room = name;
        }
        self.name_count = self.name_count.saturating_add(1);
    }
}

/// What is behind a part, or why there is nothing.
type Behind<'a> = Result<&'a [u8], Fit<'a>>;

/// Matches a text against a pattern.
pub(super) fn fit<'a>(pattern: &[Part], text: &'a [u8]) -> Fit<'a> {
    let mut found = Found::default();
    let mut rest = text;
    for part in pattern {
        match step(*part, rest, &mut found) {
            Ok(behind) => rest = behind,
            Err(why) => return why,
        }
    }
    if rest.is_empty() {
        Fit::Whole(found)
    } else {
        Fit::No
    }
}

fn step<'a>(part: Part, rest: &'a [u8], found: &mut Found<'a>) -> Behind<'a> {
    match part {
        Part::Word(word) => after(rest, word.as_bytes()),
        Part::Blanks => Ok(rest.trim_ascii_start()),
        Part::Hex(least) => {
            let (number, behind) = number(rest, 16, least)?;
            found.add_number(number);
            Ok(behind)
        }
        Part::Number => {
            let (number, behind) = number(rest, 10, 1)?;
            found.add_number(number);
            Ok(behind)
        }
        Part::Uuid => uuid(rest, found),
        Part::Rights => {
            let ok = |byte: &u8, which: u8| *byte == b'.' || *byte == which;
            let wrong = rest
                .iter()
                .zip(*b"rwx")
                .any(|(byte, which)| !ok(byte, which));
            match rest.split_at_checked(3) {
                _ if wrong => Err(Fit::No),
                Some((rights, behind)) => {
                    found.add_name(rights);
                    Ok(behind)
                }
                None => Err(Fit::Begun),
            }
        }
        Part::Segment => match rest.iter().take(17).position(|byte| *byte == b' ') {
            Some(0) => Err(Fit::No),
            None if rest.len() > 16 => Err(Fit::No),
            end => ended(rest, end, " ", found),
        },
        Part::Until(word) => ended(rest, memmem::find(rest, word.as_bytes()), word, found),
        Part::UntilLast(word) => ended(rest, memmem::rfind(rest, word.as_bytes()), word, found),
        Part::Rest => {
            found.add_name(rest);
            Ok(&[])
        }
    }
}

fn after<'a>(text: &'a [u8], word: &[u8]) -> Behind<'a> {
    match text.strip_prefix(word) {
        Some(behind) => Ok(behind),
        None if word.starts_with(text) => Err(Fit::Begun),
        None => Err(Fit::No),
    }
}

fn ended<'a>(text: &'a [u8], at: Option<usize>, word: &str, found: &mut Found<'a>) -> Behind<'a> {
    let (name, behind) = at
        .and_then(|at| text.split_at_checked(at))
        .ok_or(Fit::Begun)?;
    found.add_name(name);
    after(behind, word.as_bytes())
}

fn number(text: &[u8], radix: u32, least: usize) -> Result<(u64, &[u8]), Fit<'_>> {
    let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
    let count = text.iter().take_while(|byte| is_digit(byte)).count();
    let behind = text.get(count..).unwrap_or_default();
    if count < least {
        return Err(if behind.is_empty() {
            Fit::Begun
        } else {
            Fit::No
        });
    }
    let digits = text
        .get(..count)
        .and_then(|digits| str::from_utf8(digits).ok());
    let number = digits.and_then(|digits| u64::from_str_radix(digits, radix).ok());
    // What is too large is no number.
    Ok((number.ok_or(Fit::No)?, behind))
}

fn uuid<'a>(text: &'a [u8], found: &mut Found<'a>) -> Behind<'a> {
    const NONE: &[u8] = b"no uuid";
    const LENGTH: usize = 36;
    if let Some(behind) = text.strip_prefix(NONE) {
        found.add_name(&[]);
        return Ok(behind);
    }
    if NONE.starts_with(text) {
        return Err(Fit::Begun);
    }
    let ok = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    if !text.iter().take(LENGTH).enumerate().all(ok) {
        return Err(Fit::No);
    }
    let (uuid, behind) = text.split_at_checked(LENGTH).ok_or(Fit::Begun)?;
    found.add_name(uuid);
    Ok(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far a text fits, and the names that it has.
    fn fits(notation: &'static str, text: &str) -> String {
        match fit(&pattern(notation), text.as_bytes()) {
            Fit::No => "no".to_owned(),
            Fit::Begun => "begun".to_owned(),
            Fit::Whole(found) => format!("<{}>", String::from_utf8_lossy(found.name(0))),
        }
    }

    #[test]
    fn rights_are_three_letters_in_their_order() {
        let texts = [
            "", "r", "rw", "r.x", "...", "rwx", "xwr", "r-x", "w", "rwxr",
        ];
        let found = texts.map(|text| fits("%r", text));
        let expected = [
            "begun", "begun", "begun", "<r.x>", "<...>", "<rwx>", "no", "no", "no", "no",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn names_of_segments_have_up_to_16_letters_and_a_blank_behind_them() {
        let sixteen = "__SIXTEEN_LETTER";
        assert_eq!(fits("%s", "__TEXT "), "<__TEXT>");
        assert_eq!(fits("%s", "__TEXT"), "begun");
        assert_eq!(fits("%s", " "), "no");
        assert_eq!(fits("%s", sixteen), "begun");
        assert_eq!(fits("%s", &format!("{sixteen} ")), format!("<{sixteen}>"));
        assert_eq!(fits("%s", &format!("{sixteen}S")), "no");
        assert_eq!(fits("%s", &format!("{sixteen}S ")), "no");
    }

    #[test]
    fn a_uuid_has_36_letters_or_there_is_none() {
        let uuid = "7A2C1B9E-4F50-3D1A-8E2B-90C4D5E6F701";
        let whole = format!("<{uuid}> /x");
        assert_eq!(fits("<%u> %*", &whole), format!("<{uuid}>"));
        for length in 0..=38 {
            assert_eq!(fits("<%u> %*", &whole[..length]), "begun", "{length}");
        }
        let none = ["<n", "<no uui", "<no uuid", "<no uuid> /x", "<not"];
        let expected = ["begun", "begun", "begun", "<>", "no"];
        assert_eq!(none.map(|text| fits("<%u> %*", text)), expected);
        let others = ["<7A2C1B9E4", "<7A2C1B9-", "<7A2C1B9G"];
        assert_eq!(others.map(|text| fits("<%u> %*", text)), ["no"; 3]);
    }

    #[test]
    fn a_word_is_begun_as_far_as_it_is_right() {
        assert_eq!(fits("Kernel mapped %*", "Kern"), "begun");
        assert_eq!(fits("Kernel mapped %*", "Kerb"), "no");
        assert_eq!(fits("Kernel mapped %*", "Kernel mapped /x"), "</x>");
        let name = "(%l)";
        let found = ["(a", "(a)", "(a) ", "(a))"].map(|text| fits(name, text));
        assert_eq!(found, ["begun", "<a>", "no", "<a)>"]);
    }

    #[test]
    fn numbers_have_their_least_digits_and_64_bits() {
        let found = ["0x", "0x12", "0x123", "0x1234", "0x123g"].map(|text| fits("0x%x4", text));
        assert_eq!(found, ["begun", "begun", "begun", "<>", "no"]);
        assert_eq!(fits("%n", "18446744073709551615"), "<>");
        assert_eq!(fits("%n", "18446744073709551616"), "no");
    }
}

//! The names of a report: each once, safe to show, and not longer than anybody reads.

use crate::render::text::{middle, safe};
use rustc_hash::FxHashMap;

/// Columns of text that are kept of a name: symbols of generic functions can be 100 kB long.
const LONGEST: usize = 400;

/// Bytes of a name that are looked at: what is behind them would be cut away anyhow, in the middle.
const LOOKED_AT: usize = 16 * 1024;

/// Names by their number, in the order in which they were first asked for. Number 0 is empty.
#[derive(Debug)]
pub(super) struct Names {
    /// By the text as it is in the trace.
    known: FxHashMap<String, u32>,
    /// What is shown, one behind the other.
    text: String,
    /// Where each ends in `text`, in bytes.
    ends: Vec<u32>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            known: FxHashMap::from_iter([(String::new(), 0)]),
            text: String::new(),
            ends: vec![0],
        }
    }
}

impl Names {
    /// The number of a name. Characters that cannot be seen, and marks that would turn the direction of
    /// what stands around them, become escapes; what is too long is cut in the middle.
    pub(super) fn id(&mut self, name: &str) -> u32 {
        if let Some(&id) = self.known.get(name) {
            return id;
        }
        let shown = middle(&safe(&looked_at(name)), LONGEST, '…');
        let id = u32::try_from(self.ends.len()).unwrap_or(0);
        let end = self.text.len() + shown.len();
        // A report of 4 GiB of names is none; what comes then has no name.
        let Ok(end) = u32::try_from(end) else {
            return 0;
        };
        self.text.push_str(&shown);
        self.ends.push(end);
        self.known.insert(name.to_owned(), id);
        id
    }

    /// All text, and where each name ends in it.
    pub(super) fn columns(&self) -> (&[u8], &[u32]) {
        (self.text.as_bytes(), &self.ends)
    }
}

/// The beginning and the end of what is very long.
fn looked_at(name: &str) -> std::borrow::Cow<'_, str> {
    if name.len() <= 2 * LOOKED_AT {
        return name.into();
    }
    let (head, tail) = (
        name.floor_char_boundary(LOOKED_AT),
        name.ceil_char_boundary(name.len() - LOOKED_AT),
    );
    [&name[..head], &name[tail..]].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: &Names, id: u32) -> &str {
        let end = |at: usize| names.ends[at] as usize;
        let at = id as usize;
        &names.text[end(at - 1)..end(at)]
    }

    #[test]
    fn equal_names_are_one_and_nothing_is_number_zero() {
        let mut names = Names::default();
        assert_eq!(
            ["fmt", "os", "", "fmt"].map(|name| names.id(name)),
            [1, 2, 0, 1]
        );
        assert_eq!(names.columns(), (&b"fmtos"[..], &[0, 3, 5][..]));
    }

    #[test]
    fn hostile_names_are_shown_and_do_nothing() {
        let mut names = Names::default();
        let id = names.id("a\u{202e}b</script>\n");
        assert_eq!(shown(&names, id), "a\\u{202e}b</script>\\n");
        let long = format!("begin{}end", "é".repeat(100_000));
        let id = names.id(&long);
        let cut = shown(&names, id);
        assert!(cut.starts_with("begin") && cut.ends_with("end"), "{cut}");
        assert_eq!(cut.chars().count(), LONGEST);
    }
}

//! What was asked for and is in no executable so far.

use super::{Spec, Unmatched, Watch};

/// Specs that the user named, or wrote into a set, each with why it is not in the last executable that was looked at.
#[derive(Clone, Debug)]
pub struct Missing(Vec<(Spec, Option<String>)>);

impl Missing {
    /// All that is wanted.
    #[must_use]
    pub fn of(watch: &Watch) -> Self {
        Self(
            watch
                .wanted()
                .into_iter()
                .map(|spec| (spec, None))
                .collect(),
        )
    }

    /// What the user named for just one executable, which is there and does not have it.
    #[must_use]
    pub fn wrong_name(&self) -> Option<&str> {
        let named = |spec: &Spec| spec.set.is_none() && spec.image.is_literal();
        let mut named = self.0.iter().filter(|(spec, _)| named(spec));
        named.find_map(|(_, why)| why.as_deref())
    }

    /// Why the first of them is not there, as far as that is known.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.0.iter().find_map(|(_, why)| why.as_deref())
    }

    /// What is missing at the end, and why: `never_met` of what is in no executable that was looked at.
    pub fn each<'a>(&'a self, never_met: &'a str) -> impl Iterator<Item = (&'a Spec, &'a str)> {
        let each = self.0.iter();
        each.map(move |(spec, why)| (spec, why.as_deref().unwrap_or(never_met)))
    }

    /// Functions of an executable cannot be watched, `words` say why; false where none of them are wanted.
    pub fn unwatched(&mut self, path: &[u8], words: &str) -> bool {
        let path_text = String::from_utf8_lossy(path);
        let mut told = false;
        for (spec, missing) in &mut self.0 {
            if spec.image.matches(path) {
                *missing = Some(format!("{path_text}: {words}"));
                told = true;
            }
        }
        told
    }

    /// An executable was looked at, which does not have what is `unmatched`.
    pub fn planned(&mut self, path: &[u8], unmatched: &[Unmatched]) {
        let path_text = String::from_utf8_lossy(path);
        self.0.retain_mut(|(spec, why)| {
            if !spec.image.matches(path) {
                return true;
            }
            let mut unmatched = unmatched.iter();
            let unmatched = unmatched.find(|unmatched| unmatched.spec.is_same(spec));
            *why = unmatched.map(|unmatched| match spec.image.is_literal() {
                true => unmatched.words(&path_text),
                false => format!(
                    "none of the programs that ran has such a function{}",
                    unmatched.advice()
                ),
            });
            unmatched.is_some()
        });
    }
}

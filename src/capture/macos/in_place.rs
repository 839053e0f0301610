//! Programs that run from their own files and tell of their calls: there are none on macOS.

use crate::capture::own_path::{Grafted, Otherwise};
use crate::environment::Refusal;
use crate::trace::Pid;

/// What would be put over a program.
#[derive(Clone, Debug)]
pub(in crate::capture) enum InPlace {}

/// A child that would be traced.
#[derive(Debug)]
pub(in crate::capture) enum Seized {}

impl InPlace {
    pub(in crate::capture) const fn otherwise(&self) -> Otherwise {
        match *self {}
    }

    pub(in crate::capture) const fn seize(self, _child: Pid) -> Result<Seized, Refusal> {
        match self {}
    }
}

impl Seized {
    pub(in crate::capture) const fn run(self) -> Grafted {
        match self {}
    }
}

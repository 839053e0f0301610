//! What the processor counted of a program, as the keys of JSON have it.

use crate::trace::ProcessorCounts;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Counts {
    instructions: u64,
    cycles: u64,
    performance_core_instructions: u64,
    performance_core_cycles: u64,
    energy_nj: u64,
}

impl Counts {
    pub(super) const fn of(counts: &ProcessorCounts) -> Self {
        Self {
            instructions: counts.instructions,
            cycles: counts.cycles,
            performance_core_instructions: counts.performance_core_instructions,
            performance_core_cycles: counts.performance_core_cycles,
            energy_nj: counts.energy_nj,
        }
    }
}

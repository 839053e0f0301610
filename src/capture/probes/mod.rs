//! Which functions are watched, and where: the plan of probe sites, apart from what arms them.
//!
//! ```text
//! --probe, probe sets ──► Spec ─┐
//!                               ├──► Plan: functions and their sites ──► a backend
//! an executable's bytes ────────┘
//!                               └──► AskedOf: functions alone ──► a backend that finds the sites itself
//! ```

mod asked;
mod call_mode;
mod missing;
mod pattern;
mod plan;
mod set;
mod watch;

pub use asked::{Asked, AskedOf};
pub use call_mode::{BadMode, CallMode, Keep};
pub use missing::Missing;
pub use pattern::{BadSpec, FunctionGlob, ImagePattern, Mode, Phase, Spec};
pub use plan::{LeftOut, NoPlan, Plan, Planned, PlannedSite, Unmatched, plan};
pub use set::{DEFAULT, ProbeSet, SetError, SetProbe};
pub use watch::{MaxTax, Watch};

//! Statistics of comparing two groups of runs. Numbers in, numbers out.
//!
//! - [`rank_test`] says how surprising two groups are if nothing changed (Mann-Whitney, exact);
//!   [`smallest_p`] how surprising they could be at most, [`smallest_p_of`] what equal values leave
//!   of that; [`can_tell`], [`smallest_group`] and [`smallest_group_of`] how many runs it takes;
//! - [`benjamini_hochberg`] and [`adjusted`] judge a whole family of such tests, [`tested_up_to`]
//!   says which belong to it;
//! - [`ratio_interval`] and [`difference_interval`] say how large a change is, with 95 % intervals,
//!   [`median_interval`] where one group is;
//! - [`Noise`] is what runs of one and the same thing differ by;
//! - [`median`], [`quantile`], [`standard_deviation`] describe one group.
//!
//! Nothing here is random: permutations are counted and resamples are weighed, not drawn, so the
//! same numbers give the same answer on every machine. NaN is no measurement and is left out; no
//! result is NaN. `docs/compare-method.md` has the formulas, their sources, and why these.

mod bootstrap;
mod discovery;
mod noise;
mod normal;
mod order;
mod rank;

pub use bootstrap::{
    Interval, difference, difference_interval, median_interval, ratio, ratio_interval,
};
pub use discovery::{adjusted, benjamini_hochberg, tested_up_to};
pub use noise::Noise;
pub use order::{median, quantile, standard_deviation};
pub use rank::{can_tell, rank_test, smallest_group, smallest_group_of, smallest_p, smallest_p_of};

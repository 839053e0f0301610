//! Records in, observations out: order, and what is waited for.

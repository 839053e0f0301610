//! The trace file: what is written comes back, and damage costs what was damaged and no more.

#[cfg(test)]
mod trace_file {
    mod bindings;
    mod call_trees;
    mod calls;
    mod damage;
    mod format;
    mod hostile;
    mod round_trip;
    mod small;
}

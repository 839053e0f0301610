//! Writes for machines: Perfetto, Chrome, folded stacks, JSON lines, JSON.

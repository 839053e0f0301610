//! Pure functions over a trace: build graph, critical path, costs, call trees. No I/O.

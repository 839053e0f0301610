//! Side-band records, built byte by byte from `perf_event_open(2)`.

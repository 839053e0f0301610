//! Records, built byte by byte from the layout in records.h.

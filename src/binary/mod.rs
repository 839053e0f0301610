//! Bytes of executables in, facts out: ELF, Go's pclntab and build info. No I/O, no trace.

//! What ran, from made-up paths and the heads of files.

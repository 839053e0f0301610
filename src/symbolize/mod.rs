//! Addresses and binaries in, names out; each address without a name carries its reason.

//! Identities: small integers that cannot be mixed up with each other.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// The position of this id in a table that is ordered by it.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// One program image: each successful exec opens a new one, with the same [`Pid`].
    ProcessId(u32)
}
id! {
    /// The operating system's number of a process. It can be reused; a [`ProcessId`] cannot.
    Pid(u32)
}
id! {
    /// The operating system's number of a thread.
    Tid(u32)
}
id! {
    /// The number that the Go runtime gives a goroutine; unique within one process.
    Goid(u64)
}
id! {
    /// An executable or library file, the same for every process that maps it.
    ImageId(u32)
}
id! {
    /// One distinct code address in a stack, see [`crate::trace::Frame`].
    FrameId(u32)
}
id! {
    /// One distinct call stack, see [`crate::trace::Stacks`].
    StackId(u32)
}
id! {
    /// One named function.
    FunctionId(u32)
}
id! {
    /// One watched function of one image, see [`crate::trace::Probe`].
    ProbeId(u32)
}
id! {
    /// One interned byte string.
    StringId(u32)
}

impl StackId {
    /// The stack without frames.
    pub const EMPTY: Self = Self(0);
}

impl StringId {
    /// The empty string, which every trace holds.
    pub const EMPTY: Self = Self(0);
}

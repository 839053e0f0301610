//! The checks, in the order in which they are made and shown.

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Hardware and system.
    Machine,
    /// The toolchain.
    Go,
    /// What is set.
    Settings,
    /// C.
    Cgo,
    /// Where builds write.
    Folders,
    /// What gotrace can see.
    Recording,
}

impl Section {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Go => "go",
            Self::Settings => "settings",
            Self::Cgo => "cgo",
            Self::Folders => "folders",
            Self::Recording => "recording",
        }
    }
}

macro_rules! checks {
    ($($check:ident, $section:ident, $id:literal, $what:literal;)+) => {
        /// A question that `gotrace doctor` asks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check {
            $(#[doc = $what] $check,)+
        }

        impl Check {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$(Self::$check),+];

            /// What it is called: letters.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$check => $id),+ }
            }

            /// What it is about.
            #[must_use]
            pub const fn section(self) -> Section {
                match self { $(Self::$check => Section::$section),+ }
            }

            /// What it asks.
            #[must_use]
            pub const fn question(self) -> &'static str {
                match self { $(Self::$check => $what),+ }
            }
        }
    };
}

checks! {
    Hardware, Machine, "hardware", "Which system and architecture is this?";
    Translation, Machine, "translation", "Is gotrace, or what started it, translated, and who began with that?";
    Translators, Machine, "translators", "What runs programs of other architectures here?";
    Container, Machine, "container", "Is this a container, and what may it use?";
    GoCommand, Go, "go", "Which go command runs, and does it fit the machine?";
    Release, Go, "release", "Which release builds, and is it the one on PATH?";
    Goroot, Go, "goroot", "Does GOROOT belong to the go command?";
    Tools, Go, "tools", "Are the tools there, and for the architecture that their folder is named after?";
    Target, Go, "target", "For what is built?";
    Modules, Go, "modules", "Is this a module, and are modules on?";
    GoFlags, Settings, "goflags", "Does the go command take GOFLAGS, and what do they cost?";
    GoDebug, Settings, "godebug", "Are there such keys of GODEBUG?";
    Variables, Settings, "variables", "What does go env -w keep, and is a variable misspelt?";
    Path, Settings, "path", "Are GOPATH, GOBIN and PATH in order?";
    Profile, Settings, "profile", "Which lines of shell profiles set what concerns Go?";
    Cgo, Cgo, "cgo", "Is cgo on, and why?";
    CCompiler, Cgo, "cc", "Is the C compiler there, and does it compile for the target?";
    Sdk, Cgo, "sdk", "Is Apple's SDK there?";
    Homebrew, Cgo, "homebrew", "Are Homebrew's libraries for the target?";
    Cache, Folders, "cache", "Can the build cache be written to, and how large is it?";
    CacheProgram, Folders, "cacheprog", "Is the program of GOCACHEPROG there?";
    Temporary, Folders, "temporary", "Can temporary files be made, and programs among them be run?";
    Backends, Recording, "backends", "Which ways of watching work here?";
    Config, Recording, "config", "Which gotrace.toml are in force, and can they be read?";
    Integrity, Recording, "integrity", "What does System Integrity Protection keep from being watched?";
    Signatures, Recording, "signatures", "Do the signatures of the toolchain let it be watched?";
    Command, Recording, "command", "What would the command run, and what would be seen of it?";
}

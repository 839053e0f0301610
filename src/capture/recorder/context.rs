//! Records that say what a trace is, before its first event.

use std::os::unix::ffi::OsStrExt as _;

use super::sink::Sink;
use crate::environment::{host, toolchain};
use crate::trace::{Arch, BlindSpot, Finding, Host, Nanos, Record, Setting, Severity, Toolchain};

/// Writes them.
pub(in crate::capture) struct Context<'a>(pub(super) &'a mut Sink);

impl Context<'_> {
    /// The machine.
    pub(in crate::capture) fn host(&mut self, host: &host::Host, gotrace: &str) {
        let host = Host {
            os: self.0.string(host.os.as_bytes()),
            distribution: self.0.string(host.distribution.as_bytes()),
            cpu: self.0.string(host.cpu.as_bytes()),
            arch: Arch::from_name(host.arch),
            cores: host.cores,
            memory_bytes: host.memory_bytes,
            gotrace: self.0.string(gotrace.as_bytes()),
        };
        self.0.record(Record::Host(host));
    }

    /// The go command that the traced command's PATH leads to.
    pub(in crate::capture) fn toolchain(&mut self, go: &toolchain::Toolchain) {
        let toolchain = Toolchain {
            path: self.0.string(go.path.as_os_str().as_bytes()),
            version: self.0.string(go.variable("GOVERSION").as_bytes()),
            arch: Arch::from_name(go.arch),
            translator: self.0.string(go.translator.as_bytes()),
            goroot: self.0.string(go.variable("GOROOT").as_bytes()),
        };
        self.0.record(Record::Toolchain(toolchain));
    }

    /// A setting. Its value must be redacted already.
    pub(in crate::capture) fn setting(&mut self, key: &str, value: &[u8], source: &str) {
        let setting = Setting {
            key: self.0.string(key.as_bytes()),
            value: self.0.string(value),
            source: self.0.string(source.as_bytes()),
        };
        self.0.record(Record::Setting(setting));
    }

    /// What was found of the machine's Go. Its texts must be redacted already.
    pub(in crate::capture) fn finding(
        &mut self,
        check: &str,
        severity: Severity,
        [text, evidence, remedy]: [&[u8]; 3],
    ) {
        let finding = Finding {
            check: self.0.string(check.as_bytes()),
            severity,
            text: self.0.string(text),
            evidence: self.0.string(evidence),
            remedy: self.0.string(remedy),
        };
        self.0.record(Record::Finding(finding));
    }

    /// What will not be seen.
    pub(in crate::capture) fn blind(&mut self, what: &str, why: &str) {
        let spot = BlindSpot {
            time: Nanos::ZERO,
            what: self.0.string(what.as_bytes()),
            why: self.0.string(why.as_bytes()),
        };
        self.0.record(Record::BlindSpot(spot));
    }
}

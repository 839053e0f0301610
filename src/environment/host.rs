//! The machine: operating system, processor, cores and memory, as the system itself names them.

use super::sys;
use std::ffi::CStr;
use std::fs;
use std::path::Path;
use std::thread;

/// Architecture that gotrace runs as, in Go's words.
pub const ARCH: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else if cfg!(target_arch = "aarch64") {
    "arm64"
} else if cfg!(target_arch = "x86") {
    "386"
} else {
    "unknown"
};

/// Facts of the machine. What could not be found out is empty or zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Operating system and the version of its kernel.
    pub os: String,
    /// Distribution.
    pub distribution: String,
    /// Name of the processor.
    pub cpu: String,
    /// Architecture that gotrace runs as, in Go's words.
    pub arch: &'static str,
    /// Cores that a child of this process can use, affinity and control group considered.
    pub cores: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// How the first core's frequency is chosen (`performance`, `schedutil`, ...); empty where the
    /// system does not choose it, as in most virtual machines.
    pub governor: String,
    /// `mains` or `battery`; empty where there is neither.
    pub power: &'static str,
}

/// How many processes this kernel has killed for want of memory since it began, in all containers; `None`
/// where it does not say (before Linux 4.13, and on macOS).
#[must_use]
pub fn memory_kills() -> Option<u64> {
    let text = read("/proc/vmstat");
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    count.trim().parse().ok()
}

/// Gathers the facts.
#[must_use]
pub fn host() -> Host {
    let release = text(c"kern.osrelease").unwrap_or_else(|| read("/proc/sys/kernel/osrelease"));
    let product = text(c"kern.osproductversion").map(|version| format!("macOS {version}"));
    let cores = thread::available_parallelism().map_or(0, usize::from);
    Host {
        os: format!("{} {}", std::env::consts::OS, release.trim())
            .trim_end()
            .to_owned(),
        distribution: product.unwrap_or_else(|| distribution(&read("/etc/os-release"))),
        cpu: text(c"machdep.cpu.brand_string").unwrap_or_else(|| cpu(&read("/proc/cpuinfo"))),
        arch: ARCH,
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory_bytes: number(c"hw.memsize").unwrap_or_else(|| memory(&read("/proc/meminfo"))),
        governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
            .trim()
            .to_owned(),
        power: power(Path::new("/sys/class/power_supply")),
    }
}

/// Architecture of the processor, in Go's words: under Rosetta 2 not that which gotrace runs as.
#[must_use]
pub fn hardware_arch() -> &'static str {
    match number(c"hw.optional.arm64") {
        Some(1) => "arm64",
        _ => ARCH,
    }
}

/// The number of a release of macOS: 15; `None` on another system.
#[must_use]
pub fn macos_release() -> Option<u32> {
    let version = text(c"kern.osproductversion")?;
    version.split('.').next()?.parse().ok()
}

/// Bits of an address: the others of a pointer may be its signature (arm64e).
#[must_use]
pub fn address_bits() -> u32 {
    let bits = number(c"machdep.virtual_address_size");
    bits.and_then(|bits| u32::try_from(bits).ok()).unwrap_or(47)
}

/// What the machine runs on: mains if any supply of that kind is on, else a battery if there is
/// one (`Documentation/ABI/testing/sysfs-class-power`).
fn power(supplies: &Path) -> &'static str {
    let supplies = fs::read_dir(supplies).into_iter().flatten().flatten();
    let mut power = "";
    for supply in supplies {
        let value = |name: &str| fs::read_to_string(supply.path().join(name)).unwrap_or_default();
        match (
            value("type").trim(),
            value("online").trim(),
            value("scope").trim(),
        ) {
            ("Mains" | "USB", "1", _) => return "mains",
            // A mouse has a battery, too.
            ("Battery", _, scope) if scope != "Device" => power = "battery",
            _ => {}
        }
    }
    power
}

/// How often a processor became too hot and was slowed since the machine started, all cores and
/// packages; `None` where that is not counted, as in virtual machines
/// (`Documentation/ABI/testing/sysfs-devices-system-cpu`).
#[must_use]
pub fn throttles() -> Option<u64> {
    throttles_of(Path::new("/sys/devices/system/cpu"))
}

fn throttles_of(processors: &Path) -> Option<u64> {
    let processors = fs::read_dir(processors).ok()?.flatten();
    let counts = processors.flat_map(|processor| {
        let folder = processor.path().join("thermal_throttle");
        ["core_throttle_count", "package_throttle_count"].map(|name| folder.join(name))
    });
    let counts = counts.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    counts.reduce(u64::saturating_add)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A text that the kernel of macOS has by this name, which ends with a zero byte.
fn text(name: &CStr) -> Option<String> {
    let bytes = sys::kernel_value(name)?;
    let text = CStr::from_bytes_until_nul(&bytes).ok()?;
    Some(text.to_string_lossy().into_owned())
}

/// A number that the kernel of macOS has by this name: 4 or 8 bytes of it.
pub(super) fn number(name: &CStr) -> Option<u64> {
    let bytes = sys::kernel_value(name)?;
    match *bytes.as_slice() {
        [a, b, c, d] => Some(u32::from_le_bytes([a, b, c, d]).into()),
        _ => Some(u64::from_le_bytes(bytes.try_into().ok()?)),
    }
}

/// `PRETTY_NAME` of os-release(5).
fn distribution(os_release: &str) -> String {
    let name = os_release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or_default().trim_matches('"').to_owned()
}

/// `model name` on x86; arm64 names no model there.
fn cpu(cpuinfo: &str) -> String {
    let model = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        matches!(key.trim(), "model name" | "Model").then(|| value.trim())
    });
    model.unwrap_or_default().to_owned()
}

/// `MemTotal`, which is in units of 1,024 bytes.
fn memory(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| {
        let rest = line.strip_prefix("MemTotal:")?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    });
    total.unwrap_or_default().saturating_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_is_that_of_the_machine() {
        let folder = tempfile::tempdir().expect("a folder");
        let supply = |name: &str, values: [(&str, &str); 3]| {
            let path = folder.path().join(name);
            fs::create_dir_all(&path).expect("a folder");
            for (file, value) in values {
                fs::write(path.join(file), format!("{value}\n")).expect("a file");
            }
        };
        assert_eq!(power(&folder.path().join("none")), "");
        supply(
            "mouse",
            [("type", "Battery"), ("online", ""), ("scope", "Device")],
        );
        assert_eq!(power(folder.path()), "");
        supply("BAT0", [("type", "Battery"), ("online", ""), ("scope", "")]);
        supply("AC", [("type", "Mains"), ("online", "0"), ("scope", "")]);
        assert_eq!(power(folder.path()), "battery");
        supply("AC", [("type", "Mains"), ("online", "1"), ("scope", "")]);
        assert_eq!(power(folder.path()), "mains");
    }

    #[test]
    fn throttles_are_those_of_all_processors() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(throttles_of(&folder.path().join("none")), None);
        // What a virtual machine has.
        fs::create_dir_all(folder.path().join("cpu0/topology")).expect("a folder");
        fs::write(folder.path().join("online"), "0-1\n").expect("a file");
        assert_eq!(throttles_of(folder.path()), None);
        for (processor, core, package) in [("cpu0", "0", "0"), ("cpu1", "3", "12")] {
            let counts = folder.path().join(processor).join("thermal_throttle");
            fs::create_dir_all(&counts).expect("a folder");
            for (name, count) in [("core", core), ("package", package)] {
                let file = counts.join(format!("{name}_throttle_count"));
                fs::write(file, format!("{count}\n")).expect("a file");
            }
        }
        assert_eq!(throttles_of(folder.path()), Some(15));
    }

    #[test]
    fn files_of_the_system_are_read() {
        let release = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(distribution(release), "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(
            cpu("processor\t: 0\nmodel name\t: A CPU @ 2: x\n"),
            "A CPU @ 2: x"
        );
        assert_eq!(
            memory("MemFree: 1 kB\nMemTotal:       2048 kB\n"),
            2_097_152
        );
        assert_eq!(
            (distribution(""), cpu(""), memory("")),
            (String::new(), String::new(), 0)
        );
    }
}

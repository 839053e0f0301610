//! Whether BPF programs can be loaded here, and by whom. In: files of `/proc` and `/sys`; out:
//! a way, or a [`Refusal`] with what would help.

use crate::environment::{HELPER, Refusal, translator};
use std::fs;
use std::path::{Path, PathBuf};

/// Ring buffers and `CAP_BPF` came with this kernel.
const OLDEST_KERNEL: (u32, u32) = (5, 8);
const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Numbers of the first pid and user namespace, `include/linux/proc_ns.h`.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";

/// Numbers of capabilities, `include/uapi/linux/capability.h`.
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Who loads the programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loader {
    /// This process: it has the capabilities.
    Ourselves,
    /// The helper executable at this path, which has them.
    Helper(PathBuf),
}

/// Tells how BPF programs can be loaded on this machine.
///
/// # Errors
///
/// A [`Refusal`] when they cannot.
pub fn bpf_loader() -> Result<Loader, Refusal> {
    native(translator::ours().as_deref())?;
    kernel(&read("/proc/sys/kernel/osrelease"))?;
    type_information(Path::new(BTF))?;
    lockdown(&read("/sys/kernel/security/lockdown"))?;
    pid_namespace(&link("/proc/self/ns/pid"))?;
    let initial_user = link("/proc/self/ns/user") == INITIAL_USER_NAMESPACE;
    if initial_user && may_load(effective(&read("/proc/self/status"))) {
        return Ok(Loader::Ourselves);
    }
    helper(Path::new(HELPER)).map(Loader::Helper)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn link(path: &str) -> String {
    fs::read_link(path)
        .map(|target| target.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A translator passes no call for BPF on; and had it done so, our programs would be of the wrong
/// architecture.
fn native(translator: Option<&str>) -> Result<(), Refusal> {
    match translator {
        None => Ok(()),
        Some(translator) => Err(Refusal {
            reason: format!("gotrace itself is translated, by {translator}"),
            evidence: "/proc/cpuinfo names the processor; this looks like an emulated container"
                .to_owned(),
            remedy: "run gotrace on the host, where it sees into translated programs, too"
                .to_owned(),
        }),
    }
}

fn kernel(release: &str) -> Result<(), Refusal> {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse::<u32>().ok());
    let version = (numbers.next(), numbers.next());
    match version {
        (Some(major), Some(minor)) if (major, minor) < OLDEST_KERNEL => Err(Refusal {
            reason: "the kernel is too old for BPF ring buffers".to_owned(),
            evidence: format!("Linux {}, 5.8 is needed", release.trim()),
            remedy: "use --backend toolexec, or a newer kernel".to_owned(),
        }),
        _ => Ok(()),
    }
}

fn type_information(path: &Path) -> Result<(), Refusal> {
    match fs::File::open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal {
            reason: "the kernel does not describe its types".to_owned(),
            evidence: format!("{}: {error}", path.display()),
            remedy: "use --backend toolexec, or a kernel with CONFIG_DEBUG_INFO_BTF".to_owned(),
        }),
    }
}

fn lockdown(state: &str) -> Result<(), Refusal> {
    if state.contains("[confidentiality]") {
        return Err(Refusal {
            reason: "the kernel is locked down".to_owned(),
            evidence: format!("/sys/kernel/security/lockdown: {}", state.trim()),
            remedy: "use --backend toolexec, or boot without lockdown=confidentiality".to_owned(),
        });
    }
    Ok(())
}

fn pid_namespace(namespace: &str) -> Result<(), Refusal> {
    if namespace == INITIAL_PID_NAMESPACE {
        return Ok(());
    }
    Err(Refusal {
        reason: "processes have other numbers here than BPF programs see".to_owned(),
        evidence: format!("/proc/self/ns/pid is {namespace}, a container"),
        remedy:
            "run gotrace on the host, or the container with --pid=host; or use --backend toolexec"
                .to_owned(),
    })
}

/// The effective capabilities in the text of `/proc/PID/status`.
fn effective(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

fn may_load(capabilities: u64) -> bool {
    let has = |capability: u32| capabilities & (1 << capability) != 0;
    has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))
}

/// The line that installs the helper. sudo looks for a name in folders of the system alone (`secure_path` of
/// sudoers(5)), and cargo installs into one of the user.
fn setup(itself: Option<PathBuf>) -> String {
    match itself.filter(|path| !path.starts_with("/usr")) {
        Some(path) => format!("sudo {} setup", path.display()),
        None => "sudo gotrace setup".to_owned(),
    }
}

fn helper(path: &Path) -> Result<PathBuf, Refusal> {
    use nix::unistd::{AccessFlags, access};
    let refusal = |evidence: String| Refusal {
        reason: "not permitted to load BPF programs".to_owned(),
        evidence,
        remedy: setup(std::env::current_exe().ok()),
    };
    match access(path, AccessFlags::X_OK) {
        Ok(()) => Ok(path.to_owned()),
        Err(nix::errno::Errno::ENOENT) => Err(refusal(format!(
            "no CAP_BPF and CAP_PERFMON here, and no {}",
            path.display()
        ))),
        Err(error) => Err(refusal(format!("{}: {}", path.display(), error.desc()))),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        effective, helper, kernel, lockdown, may_load, native, pid_namespace, setup,
        type_information,
    };
    use std::path::{Path, PathBuf};

    #[test]
    fn kernels_before_ring_buffers_are_refused() {
        for old in ["5.4.0-150-generic\n", "4.19.0", "5.7.19-rc1+"] {
            let refusal = kernel(old).unwrap_err();
            assert!(refusal.evidence.contains(old.trim()), "{refusal:?}");
        }
        for new in ["5.8.0", "5.10.0-28-amd64", "6.18.44-fc-v657", "10.0"] {
            assert_eq!(kernel(new), Ok(()), "{new}");
        }
        assert_eq!(kernel("unreadable"), Ok(()), "loading itself will tell");
    }

    #[test]
    fn a_kernel_without_its_types_is_refused() {
        let refusal = type_information(Path::new("/nonexistent/btf")).unwrap_err();
        assert!(refusal.evidence.starts_with("/nonexistent/btf: "));
    }

    #[test]
    fn only_the_confidential_lockdown_forbids() {
        assert_eq!(lockdown("[none] integrity confidentiality\n"), Ok(()));
        assert_eq!(lockdown("none [integrity] confidentiality\n"), Ok(()));
        assert!(lockdown("none integrity [confidentiality]\n").is_err());
    }

    #[test]
    fn an_emulated_gotrace_is_sent_to_the_host() {
        assert_eq!(native(None), Ok(()));
        let refusal = native(Some("rosetta")).unwrap_err();
        assert!(refusal.reason.contains("rosetta"));
        assert!(refusal.remedy.contains("on the host"));
    }

    #[test]
    fn a_container_is_refused() {
        assert_eq!(pid_namespace("pid:[4026531836]"), Ok(()));
        let refusal = pid_namespace("pid:[4026532198]").unwrap_err();
        assert!(refusal.evidence.contains("4026532198"));
        assert!(refusal.remedy.contains("--pid=host"));
    }

    #[test]
    fn capabilities_are_read_from_the_status() {
        // Lines of /proc/self/status of root, of a user, and of a process that setpriv gave
        // bpf and perfmon alone.
        let status = |caps: &str| format!("CapPrm:\t0\nCapEff:\t{caps}\nCapBnd:\tffff\n");
        assert!(may_load(effective(&status("000001ffffffffff"))));
        assert!(!may_load(effective(&status("0000000000000000"))));
        assert!(may_load(effective(&status("000000c000000000"))));
        assert!(!may_load(effective(&status("0000008000000000"))));
        assert!(!may_load(effective("")));
    }

    #[test]
    fn a_missing_helper_names_the_command_that_installs_it() {
        let refusal = helper(Path::new("/nonexistent/helper")).unwrap_err();
        assert_eq!(refusal.remedy, setup(std::env::current_exe().ok()));
        assert!(refusal.evidence.contains("/nonexistent/helper"));
    }

    #[test]
    fn sudo_is_told_where_a_gotrace_of_the_user_is() {
        let line = |path: &str| setup(Some(PathBuf::from(path)));
        assert_eq!(
            line("/home/me/.cargo/bin/gotrace"),
            "sudo /home/me/.cargo/bin/gotrace setup"
        );
        assert_eq!(line("/usr/lib/gotrace/gotrace"), "sudo gotrace setup");
        assert_eq!(line("/usr/local/bin/gotrace"), "sudo gotrace setup");
        assert_eq!(setup(None), "sudo gotrace setup");
    }
}

//! Containers, namespaces, and how much of the machine may be used. In: files of `/proc`, `/sys`
//! and the root; out: what they say.

use super::Surroundings;
use std::fs;
use std::path::Path;

/// Number of the first pid namespace, `include/linux/proc_ns.h`.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// What stands between this process and the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isolation {
    /// The kind of container, and how it is known: `docker (/.dockerenv)`.
    pub container: Option<String>,
    /// Processes have other numbers here than on the host: the name of their namespace.
    pub pid_namespace: Option<String>,
    /// CPU time that the control group may use, in thousandths of a core.
    pub quota_millicores: Option<u64>,
    /// Processors that the machine has; 0 where it does not say.
    pub processors: u32,
}

impl Isolation {
    pub(super) fn of(surroundings: &Surroundings) -> Self {
        let namespace = fs::read_link("/proc/self/ns/pid");
        let namespace = namespace.map(|name| name.to_string_lossy().into_owned());
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processors = cpuinfo.lines().filter(|line| line.starts_with("processor"));
        Self {
            processors: u32::try_from(processors.count()).unwrap_or(0),
            container: container(Path::new("/"), &surroundings.text("container")),
            pid_namespace: namespace.ok().filter(|name| name != INITIAL_PID_NAMESPACE),
            quota_millicores: quota(
                &fs::read_to_string("/sys/fs/cgroup/cpu.max").unwrap_or_default(),
            ),
        }
    }
}

/// Docker and podman leave a file, systemd and podman a variable, Kubernetes names its groups.
fn container(root: &Path, variable: &str) -> Option<String> {
    for (file, name) in [(".dockerenv", "docker"), ("run/.containerenv", "podman")] {
        if root.join(file).exists() {
            return Some(format!("{name} (/{file})"));
        }
    }
    if !variable.is_empty() {
        return Some(format!("{variable} (the variable container)"));
    }
    let groups = fs::read_to_string(root.join("proc/1/cgroup")).unwrap_or_default();
    let known = [
        ("kubepods", "kubernetes"),
        ("docker", "docker"),
        ("libpod", "podman"),
        ("lxc", "lxc"),
    ];
    let known = known.iter().find(|(word, _)| groups.contains(word));
    known.map(|(_, name)| format!("{name} (/proc/1/cgroup)"))
}

/// `QUOTA PERIOD` in microseconds, or `max PERIOD`.
fn quota(cpu_max: &str) -> Option<u64> {
    let (quota, period) = cpu_max.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?);
    quota.checked_mul(1_000)?.checked_div(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_known_by_what_they_leave() {
        let root = tempfile::tempdir().expect("folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("above")).expect("made");
            fs::write(path, text).expect("written");
        };
        assert_eq!(container(root.path(), ""), None);
        assert_eq!(
            container(root.path(), "systemd-nspawn").as_deref(),
            Some("systemd-nspawn (the variable container)")
        );
        write("proc/1/cgroup", "0::/kubepods/besteffort/pod1\n");
        assert_eq!(
            container(root.path(), "").as_deref(),
            Some("kubernetes (/proc/1/cgroup)")
        );
        write("run/.containerenv", "");
        assert_eq!(
            container(root.path(), "").as_deref(),
            Some("podman (/run/.containerenv)")
        );
    }

    #[test]
    fn a_quota_is_told_in_cores() {
        assert_eq!(quota("150000 100000\n"), Some(1_500));
        assert_eq!(quota("max 100000\n"), None);
        assert_eq!((quota(""), quota("1 0")), (None, None));
    }
}

//! Who asked for the command: under sudo that is not who gotrace runs as.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::sys;
use nix::unistd::{Uid, User};

/// The user who called sudo, as the passwd database has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoker {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// All groups.
    pub groups: Vec<u32>,
    /// Login name.
    pub name: OsString,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

/// The user who called sudo; `None` when gotrace runs as whoever called it.
///
/// `variable` looks environment variables up. `SUDO_UID` is believed only by a process with
/// root's rights: others cannot become someone else anyway.
#[must_use]
pub fn invoker(variable: impl Fn(&str) -> Option<OsString>) -> Option<Invoker> {
    if !Uid::effective().is_root() {
        return None;
    }
    let uid = variable("SUDO_UID")?.to_str()?.parse::<u32>().ok()?;
    if uid == 0 {
        return None;
    }
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten()?;
    Some(from_entry(user))
}

/// The user id that the command runs as.
#[must_use]
pub fn user_of(invoker: Option<&Invoker>) -> u32 {
    invoker.map_or_else(|| Uid::effective().as_raw(), |invoker| invoker.uid)
}

fn from_entry(user: User) -> Invoker {
    let groups = CString::new(user.name.as_bytes())
        .ok()
        .and_then(|name| sys::groups(&name, user.gid.as_raw()).ok());
    Invoker {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups: groups.unwrap_or_else(|| vec![user.gid.as_raw()]),
        name: OsString::from(user.name),
        home: user.dir,
        shell: user.shell,
    }
}

impl Invoker {
    /// The `PATH` that a login shell of this user has.
    #[must_use]
    pub fn login_path(&self) -> Option<OsString> {
        let mut shell = Command::new(&self.shell);
        shell
            .args(["-l", "-c", "printf '\\n%s' \"$PATH\""])
            .env_clear()
            .env("HOME", &self.home)
            .env("USER", &self.name)
            .env("LOGNAME", &self.name)
            .env("SHELL", &self.shell)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/");
        self.become_this(&mut shell);
        let output = shell
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        // Start-up files may print lines of their own first.
        let line = output.stdout.rsplit(|&byte| byte == b'\n').next()?;
        (!line.is_empty()).then(|| OsString::from_vec(line.to_vec()))
    }

    /// Makes a command run as this user.
    pub fn become_this(&self, command: &mut Command) {
        command.gid(self.gid).uid(self.uid);
    }

    /// The variables of the environment that name the user.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, &OsStr); 3] {
        [
            ("HOME", self.home.as_os_str()),
            ("USER", &self.name),
            ("LOGNAME", &self.name),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sudo_by_someone_else_counts() {
        assert_eq!(invoker(|_| None), None);
        assert_eq!(invoker(|_| Some(OsString::from("0"))), None);
        assert_eq!(invoker(|_| Some(OsString::from("x"))), None);
    }

    #[test]
    fn the_passwd_entry_gives_home_and_groups() {
        let root = User::from_uid(Uid::from_raw(0))
            .expect("passwd")
            .expect("root");
        let invoker = from_entry(root);
        assert_eq!(invoker.name, "root");
        assert!(invoker.groups.contains(&0));
        assert_eq!(invoker.variables()[0], ("HOME", invoker.home.as_os_str()));
    }
}

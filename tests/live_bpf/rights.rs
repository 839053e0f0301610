//! What an ordinary user gets through the helper executable.

use super::calls::{calls, probed};
use super::command::{Traced, arguments, available, go};
use gotrace::capture::Observation;
use gotrace::capture::linux::bpf::{self, Options};
use gotrace::capture::probes::{DEFAULT, ProbeSet, Watch};
use gotrace::environment::Grant;
use gotrace::trace::{CallEdge, Pid};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the inner test of this file as an ordinary user, with a helper that has the rights.
#[test]
fn an_ordinary_user_gets_samples_through_the_helper() {
    if !available() || !nix::unistd::geteuid().is_root() {
        return println!("skipped: only root can install the helper");
    }
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open.clone()).unwrap();
    let grant = Grant {
        source: env!("CARGO_BIN_EXE_gotrace-helper").into(),
        destination: folder.path().join("libexec/gotrace-helper"),
        group: None,
    };
    grant.apply().unwrap();
    // A child that a test beside this one forks keeps the helper open for writing until it calls
    // exec itself.
    let busy = |outcome: std::io::Result<_>| {
        outcome.is_err_and(|error| error.kind() == std::io::ErrorKind::ExecutableFileBusy)
    };
    while busy(
        Command::new(&grant.destination)
            .stdin(Stdio::null())
            .status(),
    ) {
        std::thread::yield_now();
    }
    let test = folder.path().join("live_bpf");
    // Copied by another process: a child that a test beside this one forks would keep the copy
    // open for writing, and so from being run.
    let mut copy = Command::new("cp");
    let copy = copy.arg(std::env::current_exe().unwrap()).arg(&test);
    assert!(copy.status().unwrap().success());
    std::fs::set_permissions(&test, open).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&test)
        .args([
            "--ignored",
            "--exact",
            "rights::inner_ordinary_user",
            "--nocapture",
        ])
        .env("GOTRACE_TEST_HELPER", &grant.destination)
        .envs(go().map(|go| ("GOTRACE_TEST_GO", go)))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{complaint}");
    assert!(text.contains("1 passed"), "{text}");
    grant.undo().unwrap();
    assert!(!grant.destination.exists());
}

/// What is true of a traced command when gotrace runs as an ordinary user.
#[test]
#[ignore = "called by an_ordinary_user_gets_samples_through_the_helper, as another user"]
fn inner_ordinary_user() {
    let helper = std::env::var_os("GOTRACE_TEST_HELPER").unwrap();
    assert!(!nix::unistd::geteuid().is_root());
    let options = Options {
        rate_hz: 999,
        helper: Some(helper.clone().into()),
        ..Options::default()
    };
    // The environment arrives whole: nothing is taken out, as the loader does for programs that
    // have capabilities.
    let variables = [("LD_LIBRARY_PATH", "/nonexistent"), ("TMPDIR", "/tmp")];
    let command = "env | sort; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let output = |file: &str| format!("{{ {command}; }} > {file}");
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let traced = folder.path().join("traced");
    let plain = folder.path().join("plain");
    let script = output(traced.to_str().unwrap());
    let run = Traced {
        options: options.clone(),
        environment: variables
            .map(|(name, value)| (name, OsStr::new(value)))
            .into(),
        ..Traced::new(&["sh", "-c", &script])
    }
    .run();
    let status = Command::new("sh")
        .args(["-c", &output(plain.to_str().unwrap())])
        .current_dir("/")
        .envs(variables)
        .env_remove("PWD")
        .status()
        .unwrap();
    assert!(status.success());
    let without_shell = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text
            .lines()
            .filter(|l| !l.starts_with("PWD=") && !l.starts_with("OLDPWD="));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_shell(&traced), without_shell(&plain));
    assert!(run.losses().is_empty(), "{:?}", run.losses());
    assert!(run.samples().len() > 50, "{} samples", run.samples().len());
    assert_eq!(arguments(run.executions()[0])[0], "sh");
    let mapped = |o: &Observation| matches!(o, Observation::Mapped { path, .. } if path.ends_with(b"dash") || path.ends_with(b"bash"));
    assert!(run.observations.iter().any(mapped));

    phases_of_a_build(&helper);
    hostile_requests(&helper);

    // Somebody else's process is not watched.
    let mut backend = bpf::open(options).unwrap();
    let (sender, _receiver) = crossbeam_channel::unbounded();
    let error = backend.start(Pid(1), sender).unwrap_err();
    assert!(error.to_string().contains("not belong"), "{error}");
}

/// The default set marks each run of the compiler, as root has it.
fn phases_of_a_build(helper: &OsStr) {
    let Some(go) = std::env::var_os("GOTRACE_TEST_GO") else {
        return println!("skipped: no go");
    };
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("go.mod", "module example.com/p\n\ngo 1.21\n");
    write("main.go", "package main\n\nfunc main() { println(1) }\n");
    let tools = Path::new(&go).ancestors().nth(2).unwrap().join("pkg/tool");
    let tools = std::fs::read_dir(tools).unwrap().next().unwrap().unwrap();
    let compile = tools.path().join("compile");
    let sets = ProbeSet::embedded().unwrap().into_iter();
    let options = Options {
        helper: Some(helper.into()),
        expected: vec![go.clone().into(), compile.clone()],
        watch: Watch {
            sets: sets.filter(|set| set.name == DEFAULT).collect(),
            ..Watch::default()
        },
        ..Options::default()
    };
    let cache = folder.path().join("cache");
    let run = Traced {
        options,
        directory: folder.path(),
        environment: vec![
            ("GOCACHE", cache.as_os_str()),
            ("GOTOOLCHAIN", OsStr::new("local")),
            ("GOFLAGS", OsStr::new("")),
        ],
        ..Traced::new(&[
            &go[..],
            OsStr::new("build"),
            OsStr::new("-o"),
            OsStr::new("out"),
        ])
    }
    .run();
    assert_eq!(run.wait_status, 0);
    let compiles = run.executions().into_iter();
    let compiles = compiles.filter(|run| run.exe == compile.as_os_str().as_encoded_bytes());
    let probed = probed(&run);
    let begins = calls(&run).filter(|called| {
        let probed = &probed[&called.probe];
        probed.function == b"cmd/compile/internal/gc.Main" && called.edge == CallEdge::Entry
    });
    let (compiles, begins) = (compiles.count(), begins.count());
    assert!(compiles > 10, "{compiles}");
    assert_eq!(begins, compiles);
}

/// Sends a packet to the helper and returns its answer: the text, and how many descriptors.
fn ask(socket: &OwnedFd, packet: &[u8], files: &[&File]) -> (Vec<u8>, usize) {
    let raw: Vec<RawFd> = files.iter().map(|file| file.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let rights = if raw.is_empty() { &[][..] } else { &rights };
    let slices = [IoSlice::new(packet)];
    sendmsg::<()>(socket.as_raw_fd(), &slices, rights, MsgFlags::empty(), None).unwrap();
    answer(socket)
}

fn answer(socket: &OwnedFd) -> (Vec<u8>, usize) {
    let mut buffer = vec![0; 4096];
    let mut control = nix::cmsg_space!([RawFd; 16]);
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags).unwrap();
    let mut descriptors = 0;
    for part in message.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(raw) = part {
            descriptors += raw.len();
            for fd in raw {
                nix::unistd::close(fd).unwrap();
            }
        }
    }
    let length = message.bytes;
    buffer.truncate(length);
    (buffer, descriptors)
}

/// What the helper is asked by somebody who means no good.
fn hostile_requests(helper: &OsStr) {
    let kinds = (AddressFamily::Unix, SockType::SeqPacket);
    let (ours, theirs) = socketpair(kinds.0, kinds.1, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let mut child = Command::new(helper).stdin(theirs).spawn().unwrap();
    let object = match std::env::consts::ARCH {
        "x86_64" => include_bytes!("../../probes/prebuilt/linux-amd64/gotrace.bpf.o").as_slice(),
        _ => include_bytes!("../../probes/prebuilt/linux-arm64/gotrace.bpf.o").as_slice(),
    };
    let mut request = b"gotrace1".to_vec();
    for number in [
        std::process::id(),
        0,
        0,
        1 << 20,
        crc32fast::hash(object),
        0,
    ] {
        request.extend(number.to_le_bytes());
    }
    request.extend(b"go-build\n");
    let mut last = ask(&ours, &request, &[]).0;
    while last != b"d" {
        assert!(
            matches!(last.first(), Some(b'm' | b'p' | b'l' | b's')),
            "{last:?}"
        );
        last = answer(&ours).0;
    }
    let refused = |packet: &[u8], files: &[&File], why: &str| {
        let (said, descriptors) = ask(&ours, packet, files);
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with('e') && said.contains(why), "{said}");
        assert_eq!(descriptors, 0);
    };
    // Under the name of a tool of the set, so that only who owns it is between.
    let compile = b"a\0\0\0\0/x/compile";
    let open = |path: &str| File::open(path).unwrap();
    refused(
        compile,
        &[&open("/bin/sh")],
        "neither yours nor of a Go toolchain",
    );
    refused(
        compile,
        &[&open(env!("CARGO_BIN_EXE_gotrace"))],
        "neither yours",
    );
    refused(compile, &[&open("/tmp")], "not a plain file");
    refused(compile, &[&open("/dev/null")], "not a plain file");
    refused(compile, &[], "one descriptor");
    refused(
        compile,
        &[&open("/bin/sh"), &open("/bin/sh")],
        "one descriptor",
    );
    refused(b"a\0", &[&open("/bin/sh")], "a number and a path");
    refused(b"b\0\0\0\0/x/compile", &[&open("/bin/sh")], "expected 'a'");
    // Of a file of one's own the places are the helper's to find: here are none.
    let own = tempfile::NamedTempFile::new_in("/tmp").unwrap();
    std::fs::write(own.path(), b"\x7fELF and no more").unwrap();
    refused(compile, &[&File::open(own.path()).unwrap()], "no program");
    if let Some(go) = std::env::var_os("GOTRACE_TEST_GO") {
        let go = File::open(go).unwrap();
        refused(b"a\xff\xff\xff\xff/x/go", &[&go], "more functions than");
        let (said, links) = ask(&ours, b"a\0\0\0\0/x/go", &[&go]);
        assert_eq!((said.as_slice(), links), (&b"l"[..], 1));
    }
    // It ends with who asked it.
    drop(ours);
    assert!(child.wait().unwrap().success());
}

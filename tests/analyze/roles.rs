//! Which tool a process is and whom it works for, worked out by hand.

use crate::builder::{Builder, COMPILE, LINK, WORK, compile};
use gotrace::{
    analyze::{Roles, Tool},
    trace::ProcessId,
};

fn package(roles: &Roles, id: ProcessId) -> &str {
    let role = roles.get(id).unwrap();
    role.package.as_deref().unwrap_or("-")
}

#[test]
fn folders_parents_and_flags_tell_the_package() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go build ./...", (0, 100), 1);
    let asm = format!("/go/pkg/tool/linux_amd64/asm -p m/a -o {WORK}/b001/x.o x.s");
    let asm = b.process(Some(go), &asm, (1, 2), 1);
    let a = b.process(Some(go), &compile(1, "m/a"), (2, 3), 1);
    let cgo = format!("/go/pkg/tool/linux_amd64/cgo -objdir {WORK}/b002/ -importpath=m/c");
    let cgo = b.process(Some(go), &cgo, (3, 9), 1);
    let gcc = b.process(Some(cgo), "/usr/bin/gcc -E", (4, 6), 1);
    let cc1 = b.process(
        Some(gcc),
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -",
        (5, 6),
        1,
    );
    // Only its working directory tells that this is for b002, and only `compile` what that is.
    let stray = b.process(Some(go), "/usr/bin/gcc -c y.c", (7, 8), 1);
    let cwd = b.text(&format!("{WORK}/b002"));
    b.edit(stray).exec.cwd = cwd;
    let c = b.process(Some(go), &compile(2, "m/c"), (9, 10), 1);
    let version = b.process(Some(go), &format!("{COMPILE} -V=full"), (0, 1), 1);
    let vet = b.process(
        Some(go),
        &format!("/x/vet -a {WORK}/b002/vet.cfg"),
        (10, 11),
        1,
    );
    let roles = Roles::of(&b.trace);
    for (id, tool, expected) in [
        (go, Tool::Go, "-"),
        (asm, Tool::Asm, "m/a"),
        (a, Tool::Compile, "m/a"),
        (cgo, Tool::Cgo, "m/c"),
        (gcc, Tool::Cc, "m/c"),
        (cc1, Tool::Cc1, "m/c"),
        (stray, Tool::Cc, "m/c"),
        (c, Tool::Compile, "m/c"),
        (version, Tool::Compile, "-"),
        (vet, Tool::Vet, "m/c"),
    ] {
        assert_eq!(roles.get(id).unwrap().tool, tool);
        assert_eq!(package(&roles, id), expected, "{tool:?}");
        assert_eq!(roles.get(id).unwrap().go, Some(go));
    }
}

#[test]
fn a_main_package_is_named_by_where_its_module_lies() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go test ./...", (0, 100), 1);
    let source = |number: u32, package: &str, file: &str| {
        format!("{} -pack {file}", compile(number, package))
    };
    b.process(
        Some(go),
        &source(1, "example.com/m/a", "/home/u/m/a/a.go"),
        (1, 2),
        1,
    );
    b.process(
        Some(go),
        &source(2, "fmt", "/go/src/fmt/print.go"),
        (1, 2),
        1,
    );
    let in_module = b.process(
        Some(go),
        &source(3, "main", "/home/u/m/cmd/x/main.go"),
        (2, 3),
        1,
    );
    let root = b.process(Some(go), &source(4, "main", "/home/u/m/main.go"), (2, 3), 1);
    let in_std = b.process(
        Some(go),
        &source(5, "main", "/go/src/cmd/gofmt/gofmt.go"),
        (2, 3),
        1,
    );
    let elsewhere = b.process(Some(go), &source(6, "main", "/tmp/play/main.go"), (2, 3), 1);
    let testmain = format!("{} -pack {WORK}/b007/_testmain.go", compile(7, "main"));
    let testmain = b.process(Some(go), &testmain, (3, 4), 1);
    let cwd = b.text("/home/u/m/a");
    b.edit(testmain).exec.cwd = cwd;
    let link = b.process(
        Some(go),
        &format!("{LINK} -o {WORK}/b007/a.test"),
        (4, 5),
        1,
    );
    let test = b.process(
        Some(go),
        &format!("{WORK}/b007/a.test -test.timeout=1s"),
        (5, 6),
        1,
    );
    let roles = Roles::of(&b.trace);
    for (id, expected) in [
        (in_module, "example.com/m/cmd/x"),
        (root, "example.com/m"),
        (in_std, "cmd/gofmt"),
        (elsewhere, "play"),
        (testmain, "example.com/m/a.test"),
        (link, "example.com/m/a.test"),
        (test, "example.com/m/a"),
    ] {
        assert_eq!(package(&roles, id), expected);
    }
}

#[test]
fn graphs_and_the_go_command_name_packages() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go build", (0, 100), 1);
    let by_graph = b.process(Some(go), &compile(1, "main"), (1, 2), 1);
    let link = b.process(
        Some(go),
        &format!("{LINK} -o {WORK}/b001/exe/a.out"),
        (3, 4),
        1,
    );
    let told = b.process(Some(go), &compile(2, "m/a"), (1, 2), 1);
    let word = b.text("m/a [m/a.test]");
    b.edit(told).exec.package = word;
    let objdir = b.text(&format!("{WORK}/b001/"));
    b.action(1, ("link", "m/cmd"), &[], (0, 0, 0)).objdir = objdir;
    b.action(2, ("build", "m/cmd"), &[], (0, 0, 0)).objdir = objdir;
    let roles = Roles::of(&b.trace);
    assert_eq!(package(&roles, by_graph), "m/cmd");
    assert_eq!(package(&roles, link), "m/cmd");
    assert_eq!(package(&roles, told), "m/a");
}

#[test]
fn what_go_run_and_generate_start() {
    let mut b = Builder::default();
    let run = b.process(None, "/go/bin/go -C /x run .", (0, 100), 1);
    let program = b.process(
        Some(run),
        "/home/u/.cache/go-build/ab/cd-d/server -p 80",
        (1, 2),
        1,
    );
    let helper = b.process(Some(program), "/usr/bin/curl x", (1, 2), 1);
    let generate = b.process(None, "/go/bin/go generate", (0, 100), 1);
    let stringer = b.process(Some(generate), "/home/u/go/bin/stringer", (1, 2), 1);
    let nested = b.process(Some(generate), "/go/bin/go run x.go", (1, 2), 1);
    let roles = Roles::of(&b.trace);
    let tool = |id| roles.get(id).unwrap().tool.clone();
    assert_eq!(tool(program), Tool::Program);
    assert_eq!(tool(helper).name(), "curl");
    assert_eq!(tool(stringer), Tool::Generate);
    assert_eq!(tool(nested), Tool::Go);
    assert_eq!(roles.get(nested).unwrap().go, Some(nested));
    assert_eq!(roles.get(helper).unwrap().go, Some(run));
}

#[test]
fn gotraces_own_processes_are_passed_over() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go build", (0, 100), 1);
    let shim = b.process(
        Some(go),
        &format!("/usr/bin/gotrace shim {COMPILE}"),
        (1, 9),
        1,
    );
    b.edit(shim).own = true;
    let tool = b.process(Some(shim), &compile(1, "m/a"), (2, 8), 1);
    let roles = Roles::of(&b.trace);
    assert_eq!(roles.get(shim), None);
    assert_eq!(roles.get(tool).unwrap().parent, Some(go));
    assert_eq!(roles.iter().count(), 2);
}

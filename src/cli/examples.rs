//! Examples of each command: what one wants, and what to type. `--help` and the man pages show them.

/// What one wants, and the line that gives it.
pub(super) type Example = (&'static str, &'static str);

/// The examples of a command, which is named as it is typed: `probes list`; of gotrace itself for an empty name.
pub(super) fn of(command: &str) -> &'static [Example] {
    let found = EXAMPLES.iter().find(|(name, _)| *name == command);
    found.map_or(&[], |(_, examples)| examples)
}

const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            (
                "Record a build, and see what gates it",
                "gotrace run -- go build ./...",
            ),
            ("Walk through it in the browser", "gotrace report --open"),
            (
                "Which functions burn the CPU?",
                "gotrace show --by function",
            ),
            (
                "Did a change make it slower, beyond noise?",
                "gotrace compare before/ after/",
            ),
            (
                "What keeps gotrace from seeing more here?",
                "gotrace doctor",
            ),
        ],
    ),
    (
        "run",
        &[
            (
                "Where does the time of a build go?",
                "gotrace run -- go build ./...",
            ),
            (
                "A whole build, with nothing from the cache, into a file of your own",
                "gotrace run -o full.gotrace -- sh -c 'GOCACHE=$(mktemp -d) go build ./...'",
            ),
            (
                "Why do tests wait?",
                "gotrace run --off-cpu -- go test ./...",
            ),
            (
                "Every call of the compiler's function that compiles one function",
                "gotrace run --probe 'compile:cmd/compile/internal/ssa.Compile' -- go build ./...",
            ),
            (
                "Who calls whom in the compiler, how often and for how long",
                "gotrace run --probe 'compile:*' --call-mode aggregate -- go build ./...",
            ),
            (
                "Which calls of a program take a millisecond or more",
                "gotrace run --probe 'server:*' --call-mode longer=1ms -- ./server",
            ),
        ],
    ),
    (
        "repeat",
        &[
            (
                "Ten builds, each with an empty cache",
                "gotrace repeat --cold -- go build ./...",
            ),
            (
                "Does collecting garbage less often pay?",
                "gotrace repeat --cold --vary GOGC=100 --vary GOGC=400 -- go build ./...",
            ),
        ],
    ),
    (
        "experiment",
        &[
            (
                "What does one core cost a build?",
                "gotrace experiment --cold -s GOMAXPROCS=1 -- go build ./...",
            ),
            (
                "The same of a program, built anew under each setting",
                "gotrace experiment --build . -s GOGC=400 -- {} -requests 4000",
            ),
        ],
    ),
    (
        "attach",
        &[
            (
                "Ten seconds of a server's calls of its handlers",
                "sudo gotrace attach 4711 --for 10s --probe '*:main.(*server).*'",
            ),
            (
                "Samples alone, until Ctrl-C",
                "sudo gotrace attach 4711 --rate 199",
            ),
        ],
    ),
    (
        "show",
        &[
            ("The summary of the newest trace", "gotrace show"),
            (
                "What would make the build faster?",
                "gotrace show --by critical-path",
            ),
            (
                "What does the linker do?",
                "gotrace show --by function --tool link",
            ),
            (
                "All packages, for a script",
                "gotrace show build.gotrace --by package --json",
            ),
        ],
    ),
    (
        "calls",
        &[
            (
                "How often was each watched function called?",
                "gotrace calls",
            ),
            (
                "The five longest calls, and what was around them",
                "gotrace calls --slowest 5",
            ),
            (
                "Who called whom, in one package's compiler",
                "gotrace calls --tree --package net/http",
            ),
        ],
    ),
    (
        "bindings",
        &[
            (
                "Which libraries take the loader's time?",
                "gotrace bindings --by image",
            ),
            (
                "Which symbols are bound at their first call?",
                "gotrace bindings --by symbol --lazy",
            ),
            (
                "What is bound to something else than in another run?",
                "gotrace bindings translated.gotrace --base native.gotrace",
            ),
        ],
    ),
    (
        "compare",
        &[
            ("Two traces", "gotrace compare before.gotrace after.gotrace"),
            (
                "Two folders of runs that `gotrace repeat` made",
                "gotrace compare runs/GOGC=100 runs/GOGC=400",
            ),
            (
                "A gate for CI: fail if the build became slower by more than 5 %, beyond noise",
                "gotrace compare --fail-over 5% before/ after/",
            ),
        ],
    ),
    (
        "flamegraph",
        &[
            (
                "What the CPU did, as a picture",
                "gotrace flamegraph -o build.svg",
            ),
            (
                "Where the garbage collector's time goes, over all tools",
                "gotrace flamegraph --reversed --group none -o inverse.svg",
            ),
            (
                "What became slower and faster",
                "gotrace flamegraph after.gotrace --base before.gotrace -o difference.svg",
            ),
        ],
    ),
    (
        "timeline",
        &[
            ("The build over time, on the terminal", "gotrace timeline"),
            (
                "Phases of each compile and link, as a picture",
                "gotrace timeline --bars phases -o build.svg",
            ),
        ],
    ),
    (
        "report",
        &[
            ("The newest trace, in the browser", "gotrace report --open"),
            (
                "Two runs side by side",
                "gotrace report after.gotrace --base before.gotrace -o report.html",
            ),
        ],
    ),
    (
        "view",
        &[
            (
                "Walk through the newest trace on the terminal",
                "gotrace view",
            ),
            (
                "The same of another one, with clicks and the wheel",
                "gotrace view build.gotrace --mouse",
            ),
        ],
    ),
    (
        "export",
        &[
            (
                "For ui.perfetto.dev",
                "gotrace export --format perfetto -o build.perfetto-trace",
            ),
            (
                "Processes as a table, for a spreadsheet",
                "gotrace export --format csv --table processes -o processes.csv",
            ),
            (
                "All tables, for DuckDB, Spark and data frames",
                "gotrace export --format parquet -o tables/",
            ),
        ],
    ),
    (
        "import",
        &[
            ("What perf recorded", "gotrace import perf.data"),
            (
                "Folded stacks from a pipe",
                "gotrace import --format folded -o stacks.gotrace -",
            ),
        ],
    ),
    (
        "dump",
        &[(
            "What could not be seen, and why",
            "gotrace dump | grep blind_spot",
        )],
    ),
    (
        "recover",
        &[(
            "What a killed recorder left",
            "gotrace recover killed.gotrace -o sealed.gotrace",
        )],
    ),
    (
        "probes",
        &[(
            "Which functions of the compiler can be watched?",
            "gotrace probes list compile 'ssa.*'",
        )],
    ),
    (
        "probes list",
        &[
            (
                "Functions of the compiler, and where they would be probed",
                "gotrace probes list compile '*ssa.*'",
            ),
            (
                "All of your own program, for a script",
                "gotrace probes list ./server 'main.*' --json",
            ),
        ],
    ),
    (
        "probes sets",
        &[(
            "What is watched without being asked for?",
            "gotrace probes sets",
        )],
    ),
    (
        "inspect",
        &[
            (
                "What is in this file, for which machines?",
                "gotrace inspect ./server",
            ),
            ("Would a Mac start it?", "gotrace inspect --check ./server"),
            (
                "Which function is at an address of a crash report?",
                "gotrace inspect --lookup 0x401000 ./server",
            ),
        ],
    ),
    (
        "doctor",
        &[
            (
                "What is wrong with the Go of this machine?",
                "gotrace doctor",
            ),
            (
                "What would be seen of a build?",
                "gotrace doctor -- go build ./...",
            ),
        ],
    ),
    (
        "explain",
        &[
            (
                "Why does this build fail?",
                "gotrace explain -- go build ./...",
            ),
            (
                "Why did that one, of which there is a log?",
                "gotrace explain --log build.log",
            ),
        ],
    ),
    (
        "toolchain",
        &[("Which toolchains are there?", "gotrace toolchain list")],
    ),
    (
        "toolchain list",
        &[(
            "Which toolchains are there, and can they be watched?",
            "gotrace toolchain list",
        )],
    ),
    (
        "toolchain prepare",
        &[(
            "A copy that a Mac lets gotrace watch",
            "gotrace toolchain prepare --from /usr/local/go --to ./go-watched",
        )],
    ),
    (
        "toolchain verify",
        &[(
            "May these two be compared?",
            "gotrace toolchain verify ./go-arm64 ./go-amd64",
        )],
    ),
    (
        "selftest",
        &[
            ("Does each way of recording work here?", "gotrace selftest"),
            ("Samples alone", "gotrace selftest --only samples"),
        ],
    ),
    (
        "setup",
        &[
            ("What would be changed?", "gotrace setup --dry-run"),
            ("Let your user record with BPF", "sudo gotrace setup"),
        ],
    ),
    (
        "gen",
        &[(
            "Pages for man(1)",
            "gotrace gen man ~/.cargo/share/man/man1",
        )],
    ),
    (
        "gen man",
        &[(
            "Where man(1) looks for pages of one user",
            "gotrace gen man ~/.cargo/share/man/man1",
        )],
    ),
    (
        "gen completions",
        &[
            (
                "Where bash looks for them",
                "gotrace gen completions bash -o ~/.local/share/bash-completion/completions/gotrace",
            ),
            (
                "Where fish looks for them",
                "gotrace gen completions fish -o ~/.config/fish/completions/gotrace.fish",
            ),
        ],
    ),
];

//! What `perf script -F comm,pid,tid,time,period,ip,sym,dso --ns` prints, as values.

/// A sample as perf reads it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) time: u64,
    pub(crate) period: u64,
    pub(crate) frames: Vec<Frame>,
}

/// An address within its file, its symbol, and the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) offset: u64,
    pub(crate) symbol: String,
    pub(crate) file: String,
}

impl Sample {
    /// The frames that are not the kernel's.
    pub(crate) fn user(&self) -> Vec<&Frame> {
        let frames = self.frames.iter();
        frames
            .filter(|frame| !frame.file.starts_with("[kernel") && !is_module(&frame.file))
            .collect()
    }
}

/// `[fuse]`, but not `[vdso]` and `[unknown]`.
fn is_module(file: &str) -> bool {
    file.starts_with('[') && !["[vdso]", "[unknown]"].contains(&file)
}

/// Reads the text, samples in the order of their time.
pub(crate) fn read(text: &str) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with([' ', '\t']) && line.ends_with(')') {
            let (offset, rest) = line.trim().split_once(' ').unwrap();
            let (symbol, file) = rest.rsplit_once(" (").unwrap();
            samples.last_mut().unwrap().frames.push(Frame {
                offset: u64::from_str_radix(offset, 16).unwrap(),
                symbol: symbol.to_owned(),
                file: file.trim_end_matches(')').to_owned(),
            });
            continue;
        }
        let mut words = line.split_whitespace().rev();
        let period = words.next().unwrap().parse().unwrap();
        let time = words.next().unwrap().trim_end_matches(':').replace('.', "");
        let (pid, tid) = words.next().unwrap().split_once('/').unwrap();
        let name: Vec<&str> = words.rev().collect();
        samples.push(Sample {
            name: name.join(" "),
            pid: pid.parse().unwrap(),
            tid: tid.parse().unwrap(),
            time: time.parse().unwrap(),
            period,
            frames: Vec::new(),
        });
    }
    samples.sort_by_key(|sample| sample.time);
    samples
}

//! Recordings of other tools as traces: perf.data beside what `perf script` reads of it, folded stacks
//! beside inferno.

#[cfg(test)]
#[path = "import/damage.rs"]
mod damage;
#[cfg(test)]
#[path = "import/folded.rs"]
mod folded;
#[cfg(test)]
#[path = "import/live.rs"]
mod live;
#[cfg(test)]
#[path = "import/made.rs"]
mod made;
#[cfg(test)]
#[path = "import/recorded.rs"]
mod recorded;
#[cfg(test)]
#[path = "import/script.rs"]
mod script;

/// What becomes of the bytes of a recording.
#[cfg(test)]
fn imported(bytes: &[u8]) -> Result<gotrace::trace::Trace, gotrace::import::Error> {
    use gotrace::import::Foreign;
    use gotrace::trace::Trace;
    use gotrace::trace::file::Writer;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gotrace");
    let foreign = Foreign::open(bytes, None)?;
    let mut writer = Writer::create(&path, foreign.anchor()).unwrap();
    let counted = foreign.write(&mut writer)?;
    writer.finish().unwrap();
    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.integrity, Default::default());
    assert_eq!(counted.processes, trace.processes.len() as u64);
    let samples = trace.sample_count() + trace.profiles.len() as u64;
    assert_eq!(counted.samples, samples);
    Ok(trace)
}

/// All samples of a trace.
#[cfg(test)]
fn samples(trace: &gotrace::trace::Trace) -> Vec<gotrace::trace::Sample> {
    let blocks = trace.samples().map(|block| block.unwrap());
    blocks
        .flat_map(|block| block.iter().collect::<Vec<_>>())
        .collect()
}

/// What was lost, by its name.
#[cfg(test)]
fn losses(trace: &gotrace::trace::Trace) -> Vec<(String, u64, String)> {
    let text = |id| trace.text(id).into_owned();
    let losses = trace.losses.iter();
    losses
        .map(|one| (text(one.what), one.count, text(one.why)))
        .collect()
}

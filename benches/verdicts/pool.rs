//! What comparisons of recorded runs say, in which nothing changed, and in which one thing did.

use crate::random::Random;
use crate::{head, percent, row, say};
use gotrace::analyze::compare::{Comparison, Key, Measure, Options, Run, Subject, Verdict};
use gotrace::analyze::statistics::{median, quantile, standard_deviation};
use gotrace::analyze::{Analysis, Name};
use gotrace::trace::Trace;
use std::error::Error;
use std::path::Path;

/// Comparisons of each kind.
const PAIRS: usize = 200;

/// Writes all tables of the traces in a folder.
pub(crate) fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    let runs = read(folder)?;
    if runs.len() < 30 {
        return Err(format!(
            "{} runs in {}; 30 are the least",
            runs.len(),
            folder.display()
        )
        .into());
    }
    describe(&runs);
    let mut random = Random(4);
    unchanged(&runs, &mut random);
    planted(&runs, &mut random);
    Ok(())
}

/// The traces of a folder in the order of their names, reduced to what is judged.
fn read(folder: &Path) -> Result<Vec<Run>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|end| end == "gotrace"));
    paths.sort();
    let mut runs = Vec::new();
    for path in paths {
        let trace = Trace::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut run = Run::of(&Analysis::of(&trace), &path.display().to_string());
        if !run.succeeded() {
            return Err(format!("{}: its command failed", path.display()).into());
        }
        run.figures.retain(|key, _| key.is_judged());
        runs.push(run.without_inputs());
    }
    Ok(runs)
}

fn whole_cpu(run: &Run) -> f64 {
    run.figure(Subject::Whole, Measure::Cpu)
}

fn describe(runs: &[Run]) {
    let all = compare(runs, runs);
    let cpu: Vec<f64> = runs.iter().map(whole_cpu).collect();
    let seconds = |share| quantile(&cpu, share).unwrap_or(0.0) / 1e9;
    let packages = all
        .rows
        .iter()
        .filter(|row| row.key.subject.kind() == "package");
    let deviations: Vec<f64> = packages
        .filter_map(|row| Some(standard_deviation(&row.base)? / median(&row.base)?))
        .filter(|deviation| deviation.is_finite())
        .collect();
    say("<!-- pool -->\n");
    say(format!(
        "{} runs, {}; {} rows in the family. CPU time of a run {:.1} to {:.1} s, median \
         {:.1} s; standard deviation of a package's CPU time {:.1} % (median of packages). \
         Correlation of a run's CPU time with that of the run before it: {:.2}.\n",
        runs.len(),
        all.base.go,
        all.family,
        seconds(0.0),
        seconds(1.0),
        seconds(0.5),
        100.0 * median(&deviations).unwrap_or(0.0),
        autocorrelation(&cpu),
    ));
}

/// The correlation of the ranks of neighbours; 0 where each run is on its own.
fn autocorrelation(values: &[f64]) -> f64 {
    let below = |value: f64| values.iter().filter(|other| **other < value).count() as f64;
    let middle = (values.len() - 1) as f64 / 2.0;
    let ranks: Vec<f64> = values.iter().map(|value| below(*value) - middle).collect();
    let squares: f64 = ranks.iter().map(|rank| rank * rank).sum();
    let products: f64 = ranks.windows(2).map(|two| two[0] * two[1]).sum();
    products / squares
}

fn compare(base: &[Run], new: &[Run]) -> Comparison {
    Comparison::of(base, new, &Options::default())
}

/// Rows that a comparison calls slower or faster.
fn changed(comparison: &Comparison) -> Vec<&Key> {
    let rows = comparison.rows.iter();
    let told = rows.filter(|row| row.verdict.as_ref().is_some_and(Verdict::is_change));
    told.map(|row| &row.key).collect()
}

/// Counts verdicts of comparisons in which there is nothing to find.
#[derive(Default)]
struct Count {
    pairs: usize,
    with_verdict: usize,
    rows: usize,
}

impl Count {
    fn add(&mut self, base: &[Run], new: &[Run]) {
        let comparison = compare(base, new);
        let told = changed(&comparison).len();
        self.pairs += 1;
        self.with_verdict += usize::from(told > 0);
        self.rows += told;
    }

    fn say(&self, how: &str, runs: usize) {
        row([
            how.to_owned(),
            format!("{runs} + {runs}"),
            self.pairs.to_string(),
            self.with_verdict.to_string(),
            percent(self.with_verdict, self.pairs),
            self.rows.to_string(),
        ]);
    }
}

fn unchanged(runs: &[Run], random: &mut Random) {
    say("<!-- unchanged -->\n");
    head(
        &[
            "groups",
            "runs",
            "pairs",
            "with a verdict",
            "share",
            "rows with one",
        ]
        .map(str::to_owned),
    );
    let chosen = |numbers: &[usize]| -> Vec<Run> {
        numbers.iter().map(|number| runs[*number].clone()).collect()
    };
    for size in [runs.len() / 2, 16, 10] {
        let mut count = Count::default();
        while count.pairs < PAIRS {
            let drawn = random.drawn(runs.len(), 2 * size);
            count.add(&chosen(&drawn[..size]), &chosen(&drawn[size..]));
        }
        count.say("drawn by chance", size);
    }
    for size in [16, 10] {
        let (mut in_turn, mut in_blocks) = (Count::default(), Count::default());
        for start in 0..=runs.len() - 2 * size {
            let window: Vec<usize> = (start..start + 2 * size).collect();
            // As `gotrace repeat` does: A B, B A, B A, A B.
            let is_base = |place: usize| matches!(place % 8, 0 | 3 | 5 | 6);
            let side = |base: bool| -> Vec<usize> {
                let places = (0..2 * size).filter(|place| is_base(*place) == base);
                places.map(|place| window[place]).collect()
            };
            in_turn.add(&chosen(&side(true)), &chosen(&side(false)));
            in_blocks.add(&chosen(&window[..size]), &chosen(&window[size..]));
        }
        in_turn.say("neighbours, in turn", size);
        in_blocks.say("neighbours, one group after the other", size);
    }
    say("");
}

/// How the noise of a planted package looks.
#[derive(Clone, Copy)]
enum Noise {
    Normal,
    /// Its own, scaled.
    Own,
}

/// How often one package that is 5 % slower is found, its CPU time having a standard deviation of
/// 2 %, all other rows being what was recorded; and which share of the verdicts of a comparison is
/// false, on average.
fn planted(runs: &[Run], random: &mut Random) {
    const SLOWER: f64 = 1.05;
    const DEVIATION: f64 = 0.02;
    let all = compare(runs, runs);
    let packages: Vec<&Key> = all
        .rows
        .iter()
        .filter(|row| row.key.subject.kind() == "package")
        .filter(|row| row.base.iter().all(|value| *value > 0.0))
        .filter(|row| row.verdict == Some(Verdict::WithinNoise))
        .map(|row| &row.key)
        .collect();
    say("<!-- planted -->\n");
    head(
        &[
            "noise",
            "runs",
            "pairs",
            "found",
            "share",
            "false share of verdicts",
        ]
        .map(str::to_owned),
    );
    for (noise, name) in [
        (Noise::Normal, "normal"),
        (Noise::Own, "the package's own, scaled"),
    ] {
        for size in [10, 12, 16] {
            let (mut found, mut false_shares) = (0, Vec::new());
            for _ in 0..PAIRS {
                let key = packages[random.below(packages.len())];
                let Subject::Package(package) = &key.subject else {
                    continue;
                };
                let drawn = random.drawn(runs.len(), 2 * size);
                let mut chosen: Vec<Run> = drawn.iter().map(|at| runs[*at].clone()).collect();
                let values = with_noise(runs, package, &drawn, noise, DEVIATION, random);
                for (place, (run, value)) in chosen.iter_mut().zip(values).enumerate() {
                    let slower = if place < size { 1.0 } else { SLOWER };
                    run.figures.insert(key.clone(), value * slower);
                }
                let comparison = compare(&chosen[..size], &chosen[size..]);
                let told = changed(&comparison);
                let hit = comparison
                    .row(&key.subject, key.measure)
                    .is_some_and(|row| row.verdict == Some(Verdict::Slower));
                found += usize::from(hit);
                let others = told.len() - usize::from(told.contains(&key));
                false_shares.push(others as f64 / told.len().max(1) as f64);
            }
            row([
                name.to_owned(),
                format!("{size} + {size}"),
                PAIRS.to_string(),
                found.to_string(),
                percent(found, PAIRS),
                mean_with_error(&false_shares),
            ]);
        }
    }
    say("");
}

/// The mean of shares, and its standard error.
fn mean_with_error(shares: &[f64]) -> String {
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    let error = standard_deviation(shares).unwrap_or(0.0) / count.sqrt();
    format!("{:.1} % ± {:.1} %", 100.0 * mean, 100.0 * error)
}

/// CPU times of a package in some runs, with noise of this relative standard deviation.
fn with_noise(
    runs: &[Run],
    package: &Name,
    drawn: &[usize],
    noise: Noise,
    deviation: f64,
    random: &mut Random,
) -> Vec<f64> {
    let of = |run: &Run| run.figure(Subject::Package(package.clone()), Measure::Cpu);
    let recorded: Vec<f64> = runs.iter().map(of).collect();
    let mean = recorded.iter().sum::<f64>() / recorded.len() as f64;
    let own = standard_deviation(&recorded).unwrap_or(0.0);
    let times = drawn.iter().map(|&at| {
        let away = match noise {
            Noise::Normal => random.normal(),
            Noise::Own => (recorded[at] - mean) / own,
        };
        mean * (1.0 + deviation * away)
    });
    times.collect()
}

//! Events with trace times in, JSON objects out, one at a time.

use crate::export::text::{NOT_TEXT, Texts};
use crate::trace::Nanos;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::io::{self, Write};

/// A trace time as the format has it: microseconds, with decimals.
pub(super) const fn micros(time: Nanos) -> f64 {
    time.0 as f64 / 1e3
}

/// One event, its keys as the format names them.
#[derive(Serialize)]
pub(super) struct Event<'e> {
    pub(super) name: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) cat: &'e str,
    pub(super) ph: &'static str,
    pub(super) ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dur: Option<f64>,
    pub(super) pid: u32,
    pub(super) tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    /// Where an arrow ends: at the slice that encloses its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bp: Option<&'static str>,
    /// How far an instant reaches: over all processes (`g`), or over its thread (`t`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) s: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) args: Option<Args>,
}

impl<'e> Event<'e> {
    const fn of(ph: &'static str, name: &'e str, (pid, tid): (u32, u32), time: Nanos) -> Self {
        Self {
            name,
            cat: "",
            ph,
            ts: micros(time),
            dur: None,
            pid,
            tid,
            id: None,
            bp: None,
            s: None,
            args: None,
        }
    }

    /// From `start` to `end` on a thread.
    pub(super) fn slice(thread: (u32, u32), (start, end): (Nanos, Nanos)) -> Self {
        Self {
            dur: Some(micros(end.since(start))),
            ..Self::of("X", "", thread, start)
        }
    }

    /// Where a slice begins that [`Self::end`] ends.
    pub(super) const fn begin(thread: (u32, u32), time: Nanos) -> Self {
        Self::of("B", "", thread, time)
    }

    /// Where the innermost slice of a thread ends that was begun.
    pub(super) const fn end(thread: (u32, u32), time: Nanos) -> Self {
        Self::of("E", "", thread, time)
    }

    /// At one time, on a thread.
    pub(super) fn point(thread: (u32, u32), time: Nanos) -> Self {
        Self {
            s: Some("t"),
            ..Self::of("i", "", thread, time)
        }
    }

    /// At one time, of no process.
    pub(super) fn instant(time: Nanos) -> Self {
        Self {
            s: Some("g"),
            ..Self::of("i", "", (super::BUILD_PID, 0), time)
        }
    }

    /// A value from `time` on: the number in its `args`.
    pub(super) fn counter(name: &'e str, time: Nanos) -> Self {
        Self::of("C", name, (super::BUILD_PID, 0), time)
    }

    /// One end of an arrow between slices: phase `s` where it begins, `f` where it ends.
    pub(super) fn arrow(phase: &'static str, id: u64, thread: (u32, u32), time: Nanos) -> Self {
        Self {
            cat: "dependency",
            id: Some(id),
            bp: (phase == "f").then_some("e"),
            ..Self::of(phase, "needs", thread, time)
        }
    }
}

/// One sample, its keys as the format names them.
#[derive(Serialize)]
pub(super) struct Sample {
    pub(super) cpu: u32,
    pub(super) pid: u32,
    pub(super) tid: u32,
    pub(super) ts: f64,
    pub(super) name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sf: Option<String>,
    pub(super) weight: u64,
}

/// What a viewer shows of an event beside its name.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Args(serde_json::Map<String, Value>);

impl Args {
    fn with(mut self, key: &str, value: Value) -> Self {
        self.0.insert(key.to_owned(), value);
        self
    }

    pub(super) fn text(self, key: &str, text: impl Into<String>) -> Self {
        self.with(key, Value::String(text.into()))
    }

    pub(super) fn number(self, key: &str, number: u64) -> Self {
        self.with(key, number.into())
    }

    pub(super) fn signed(self, key: &str, number: i64) -> Self {
        self.with(key, number.into())
    }

    pub(super) fn truth(self, key: &str, truth: bool) -> Self {
        self.with(key, truth.into())
    }

    pub(super) fn list(self, key: &str, texts: Vec<Cow<'_, str>>) -> Self {
        let texts = texts.into_iter().map(Cow::into_owned);
        self.with(key, Value::from_iter(texts))
    }

    /// The bytes of what was no text, in hexadecimal by key, if there was any.
    pub(super) fn bytes(self, texts: Texts<'_>) -> Self {
        let not_text = texts.not_text();
        if not_text.is_empty() {
            return self;
        }
        let bytes = not_text
            .into_iter()
            .map(|(key, hex)| (key, Value::String(hex)));
        self.with(NOT_TEXT, Value::Object(bytes.collect()))
    }
}

/// Writes events as the members of a list.
#[derive(Debug)]
pub(super) struct Events<W> {
    out: W,
    first: bool,
}

impl<W: Write> Events<W> {
    /// Begins behind the list's opening bracket.
    pub(super) const fn begin(out: W) -> Self {
        Self { out, first: true }
    }

    /// Writes an event.
    pub(super) fn put(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.out
            .write_all(if self.first { b"\n" } else { b",\n" })?;
        self.first = false;
        Ok(serde_json::to_writer(&mut self.out, event)?)
    }

    /// Names a process.
    pub(super) fn name_process(
        &mut self,
        pid: u32,
        name: &str,
        labels: &[Cow<'_, str>],
    ) -> io::Result<()> {
        self.metadata((pid, 0), "process_name", Args::default().text("name", name))?;
        if labels.is_empty() {
            return Ok(());
        }
        let labels = Args::default().text("labels", labels.join(" "));
        self.metadata((pid, 0), "process_labels", labels)
    }

    /// Names a thread.
    pub(super) fn name_thread(&mut self, thread: (u32, u32), name: &str) -> io::Result<()> {
        self.metadata(thread, "thread_name", Args::default().text("name", name))
    }

    fn metadata(&mut self, thread: (u32, u32), what: &str, args: Args) -> io::Result<()> {
        self.put(&Event {
            args: Some(args),
            ..Event::of("M", what, thread, Nanos::ZERO)
        })
    }
}

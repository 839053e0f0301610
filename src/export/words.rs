//! Values of enumerations in, the words that JSON lines and tables have for them out.

use crate::analyze::calls::CallEnd;
use crate::trace::{
    BindHow, BindKind, ExitStatus, FramePlace, ImageKind, LinkCause, LoadOrigin, SampleKind,
    SamplePlace, StackOwner,
};

pub(super) const fn status(status: ExitStatus) -> &'static str {
    match status {
        ExitStatus::Code(_) => "exited",
        ExitStatus::Signal(_) => "killed",
        ExitStatus::Replaced => "replaced",
        ExitStatus::Unknown => "unknown",
    }
}

pub(super) const fn image_kind(kind: ImageKind) -> &'static str {
    match kind {
        ImageKind::File => "file",
        ImageKind::Kernel => "kernel",
        ImageKind::Anonymous => "anonymous",
    }
}

pub(super) const fn frame_place(place: FramePlace) -> &'static str {
    match place {
        FramePlace::Image(..) => "image",
        FramePlace::Unmapped(_) => "unmapped",
        FramePlace::Kernel(_) => "kernel",
        FramePlace::Truncated => "truncated",
    }
}

pub(super) const fn sample_kind(kind: SampleKind) -> &'static str {
    match kind {
        SampleKind::OnCpu => "on_cpu",
        SampleKind::OffCpu => "off_cpu",
    }
}

pub(super) const fn sample_place(place: SamplePlace) -> &'static str {
    match place {
        SamplePlace::User => "user",
        SamplePlace::Kernel => "kernel",
        SamplePlace::TranslatedCode => "translated_code",
        SamplePlace::Translator => "translator",
        SamplePlace::TranslatorRuntime => "translator_runtime",
    }
}

pub(super) const fn stack_owner(owner: StackOwner) -> &'static str {
    match owner {
        StackOwner::Goroutine(_) | StackOwner::Unnumbered(_) => "goroutine",
        StackOwner::System(_) => "system",
        StackOwner::Signal => "signal",
        StackOwner::Foreign => "thread",
        StackOwner::Forked => "forked",
    }
}

pub(super) const fn call_end(end: CallEnd) -> &'static str {
    match end {
        CallEnd::Returned => "returned",
        CallEnd::TailJumped => "tail_jumped",
        CallEnd::Unwound => "unwound",
        CallEnd::Open => "open",
        CallEnd::Instant => "entry",
    }
}

pub(super) const fn link_cause(cause: LinkCause) -> &'static str {
    match cause {
        LinkCause::Start => "start",
        LinkCause::Dlopen => "dlopen",
    }
}

pub(super) const fn load_origin(origin: LoadOrigin) -> &'static str {
    match origin {
        LoadOrigin::File => "file",
        LoadOrigin::SharedCache => "shared_cache",
    }
}

pub(super) const fn bind_how(how: BindHow) -> &'static str {
    match how {
        BindHow::Eager => "eager",
        BindHow::Lazy => "lazy",
        BindHow::Dlsym => "dlsym",
        BindHow::Derived => "derived",
    }
}

pub(super) const fn bind_kind(kind: BindKind) -> &'static str {
    match kind {
        BindKind::Call => "call",
        BindKind::Data => "data",
    }
}

//! Stacks in, the tree of frames that samples point into out.

use crate::export::frames;
use crate::export::stacks::UsedStacks;
use crate::export::text::text;
use crate::trace::{StackId, Trace};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

/// One row of a stack. Its parent is the row that called it.
#[derive(Serialize)]
struct StackFrame<'t> {
    category: Cow<'t, str>,
    name: Cow<'t, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
}

/// The id of a row of a stack's innermost frame, 0 being the innermost row; none of no stack.
pub(super) fn id(stack: StackId, row: usize) -> Option<String> {
    match (stack, row) {
        (StackId::EMPTY, _) => None,
        (_, 0) => Some(stack.to_string()),
        _ => Some(format!("{stack}.{row}")),
    }
}

/// Writes the used stacks as members of an object, each row by its id.
pub(super) fn write(trace: &Trace, used: &UsedStacks, out: &mut impl Write) -> io::Result<()> {
    let mut first = true;
    for (stack, callers, frame) in used.nodes(trace) {
        let image = frames::image(trace, frame).and_then(|image| trace.images.get(image.index()));
        let category = image.map_or(Cow::Borrowed(""), |image| trace.text(image.path));
        let rows = frames::rows(trace, frame);
        let outermost = rows.len().saturating_sub(1);
        for (row, shown) in rows.into_iter().enumerate() {
            let parent = if row == outermost {
                id(callers, 0)
            } else {
                id(stack, row + 1)
            };
            let shown = StackFrame {
                category: category.clone(),
                name: text(shown.name),
                parent,
            };
            out.write_all(if first { b"\n" } else { b",\n" })?;
            first = false;
            serde_json::to_writer(&mut *out, &id(stack, row))?;
            out.write_all(b":")?;
            serde_json::to_writer(&mut *out, &shown)?;
        }
    }
    Ok(())
}

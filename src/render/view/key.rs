//! What a user does, whatever terminal it comes from.

/// A key, a click, or a turn of the wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character that was typed.
    Char(char),
    /// Return.
    Enter,
    /// Backspace.
    Backspace,
    /// Escape.
    Escape,
    /// The next view.
    Tab,
    /// The view before.
    BackTab,
    /// A line up.
    Up,
    /// A line down.
    Down,
    /// To what is around.
    Left,
    /// To what is within.
    Right,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the first line.
    Home,
    /// To the last line.
    End,
    /// Draw all of it anew.
    Redraw,
    /// Stop, as a shell stops a job.
    Stop,
    /// A click on a cell, counted from the upper left.
    Click(u16, u16),
    /// The wheel went up.
    WheelUp,
    /// The wheel went down.
    WheelDown,
}

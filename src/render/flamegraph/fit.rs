//! What is written on frames that are too narrow for their names.
//!
//! inferno cuts names at one end, which leaves nothing but the start of an import path, or a few
//! letters. Here a name loses its folders first, then its package, its receiver, and only then its
//! end: `cmd/compile/internal/ssa.(*Func).Log`, `ssa.(*Func).Log`, `(*Func).Log`, `Log`. What a
//! differential picture writes behind a name, `ssa.Log +25 %`, goes with the package: half of a
//! number would be a wrong one.

use inferno::flamegraph::defaults;

/// Width of inferno's picture, in pixels, until its script fits it to the window.
const IMAGE_WIDTH: f64 = 1200.0;

/// What inferno and this module write in place of what is cut off.
const CUT: &str = "..";

/// Functions that take the place of inferno's own of the same names when they stand after them.
/// They follow the rule of [`fitted`].
const SCRIPT: &str = r"
function fitted(name, columns) {
    if (columns < 3) return '';
    if (name.length <= columns) return name;
    var change = (name.match(/ (new|gone|[+-]\d+ %|×\d+)$/) || [''])[0];
    var plain = name.slice(0, name.length - change.length);
    var outside = plain.search(/[\[(]/);
    var base = plain.slice(plain.lastIndexOf('/', outside < 0 ? plain.length : outside) + 1);
    var inner = base.replace(/^\w+\.(?=.)/, '');
    var method = inner.replace(/^\([^.]*\)\.(?=.)/, '');
    var kept = [base + change, inner + change, base, inner, method];
    kept = kept.filter(function(each) { return each.length <= columns; });
    return kept.length ? kept[0] : method.slice(0, columns - 2) + '..';
}
function update_text_for_elements(elements) {
    var whole = frames.attributes.width.value;
    var letter = known_font_width || fontsize * fontwidth;
    var written = Array.prototype.map.call(elements, function(e) {
        var r = find_child(e, 'rect').attributes;
        var columns = Math.floor((parseFloat(r.width.value) * whole / 100 - 3) / letter);
        var name = find_child(e, 'title').textContent.replace(/ \([^(]*\)$/, '');
        return [format_percent(parseFloat(r.x.value) + 300 / whole), fitted(name, columns)];
    });
    written.forEach(function(each, at) {
        var t = find_child(elements[at], 'text');
        t.attributes.x.value = each[0];
        t.textContent = each[1];
    });
}
function update_text(e) { update_text_for_elements([e]); }
";

/// inferno's picture with labels that fit, as drawn and when its script draws them anew.
pub(super) fn labels(svg: &str) -> String {
    const FRAME: &str = "<g><title>";
    let mut out = String::with_capacity(svg.len());
    let mut frames = svg.split(FRAME);
    if let Some(head) = frames.next() {
        out.push_str(&scripted(head));
    }
    for frame in frames {
        out.push_str(FRAME);
        match relabelled(frame) {
            Some((before, label, after)) => out.extend([before, &label, after]),
            None => out.push_str(frame),
        }
    }
    out
}

/// What stands before the frames in inferno's picture, with the script of this module.
pub(super) fn scripted(head: &str) -> String {
    head.replacen("]]></script>", &format!("{SCRIPT}]]></script>"), 1)
}

/// What of a name is written on a frame that is so many percent of the picture wide, with letters
/// of a size in pixels. Inferno counts letters in the same way.
pub(super) fn fitted_to(name: &str, percent: f64, font_size: usize) -> String {
    let letter = font_size as f64 * defaults::FONT_WIDTH;
    let columns = percent / 100.0 * IMAGE_WIDTH / letter;
    match columns as usize {
        0..3 => String::new(),
        columns => fitted(name, columns),
    }
}

/// A frame as what stands before its label, a label that fits, and what stands after it. `None`
/// where the label is whole, or the name holds what XML writes as more than a character.
fn relabelled(frame: &str) -> Option<(&str, String, &str)> {
    let (title, _) = frame.split_once("</title>")?;
    let (name, _weight) = title.rsplit_once(" (")?;
    let (before, after) = frame.split_at_checked(frame.find("</text>")?)?;
    let start = before.rfind('>')? + 1;
    let label = before.get(start..)?;
    if !label.ends_with(CUT) || name.contains('&') {
        return None;
    }
    Some((
        before.get(..start)?,
        fitted(name, label.chars().count()),
        after,
    ))
}

/// As much of a function's name as fits into so many columns.
fn fitted(name: &str, columns: usize) -> String {
    let fits = |text: &&str| text.chars().count() <= columns;
    if fits(&name) {
        return name.to_owned();
    }
    let (plain, change) = name.split_at(name.len() - change(name).len());
    let outside = plain.find(['[', '(']).unwrap_or(plain.len());
    let folders = plain.get(..outside).and_then(|path| path.rfind('/'));
    let base = folders
        .and_then(|slash| plain.get(slash + 1..))
        .unwrap_or(plain);
    let function = without(base, is_word);
    let method = without(function, |word| {
        word.starts_with('(') && word.ends_with(')')
    });
    let changed = [base, function].map(|text| format!("{text}{change}"));
    let mut shorter = changed.iter().map(String::as_str);
    let whole = shorter.find(fits);
    if let Some(text) = whole.or_else(|| [base, function, method].into_iter().find(fits)) {
        return text.to_owned();
    }
    let kept = method.chars().take(columns.saturating_sub(CUT.len()));
    kept.chain(CUT.chars()).collect()
}

/// What a differential picture has written behind a name, or nothing.
fn change(name: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let percent = name.strip_suffix(" %").and_then(|name| name.rfind(' '));
    let start = percent.or_else(|| name.rfind(' '));
    let end = start
        .and_then(|start| name.get(start..))
        .unwrap_or_default();
    let known = match end.trim_start_matches(' ') {
        "new" | "gone" => true,
        word => {
            let percent = word
                .strip_suffix(" %")
                .and_then(|word| word.strip_prefix(['+', '-']));
            percent
                .or_else(|| word.strip_prefix('×'))
                .is_some_and(digits)
        }
    };
    if known { end } else { "" }
}

/// The text without what stands before its first dot, where that is of a certain kind.
fn without(text: &str, kind: impl Fn(&str) -> bool) -> &str {
    match text.split_once('.') {
        Some((start, end)) if kind(start) && !end.is_empty() => end,
        _ => text,
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_first_then_package_receiver_and_end() {
        let name = "cmd/compile/internal/ssa.(*Func).Log";
        for (columns, expected) in [
            (36, name),
            (35, "ssa.(*Func).Log"),
            (14, "(*Func).Log"),
            (10, "Log"),
            (2, ".."),
        ] {
            assert_eq!(fitted(name, columns), expected, "{columns}");
        }
        let changed = "cmd/compile/internal/ssa.(*Func).Log +25 %";
        for (columns, expected) in [
            (42, changed),
            (41, "ssa.(*Func).Log +25 %"),
            (20, "(*Func).Log +25 %"),
            (16, "ssa.(*Func).Log"),
            (14, "(*Func).Log"),
            (10, "Log"),
            (2, ".."),
        ] {
            assert_eq!(fitted(changed, columns), expected, "{columns}");
        }
        for end in [" new", " gone", " -7 %", " ×12"] {
            assert_eq!(change(&format!("a b{end}")), end);
        }
        for name in ["", "new", "f +7%", "f %", "f 7 %", "f + %", "f ×", "f ×1.5"] {
            assert_eq!(change(name), "", "{name}");
        }
        assert_eq!(fitted("[stripped: /lib/z.so]", 12), "[stripped:..");
        assert_eq!(fitted("slices.Sort[go.shape/x]", 16), "Sort[go.shape/x]");
        assert_eq!(fitted("example.com/m/é", 1), "é");
    }

    #[test]
    fn cut_labels_are_replaced_and_whole_ones_stay() {
        let frame = |name: &str, label: &str| {
            format!(
                r#"<g><title>{name} (1 ms, 2 %)</title><rect x="0"/><text x="1">{label}</text></g>"#
            )
        };
        let drawn = [
            "<svg>",
            &frame("cmd/ssa.Compile", "cmd/ssa.C.."),
            &frame("a&lt;b&gt;.F", "a&lt;.."),
            &frame("é.F", "é.F"),
        ];
        let mut expected = drawn.map(str::to_owned);
        expected[1] = frame("cmd/ssa.Compile", "ssa.Compile");
        assert_eq!(labels(&drawn.concat()), expected.concat());
    }
}

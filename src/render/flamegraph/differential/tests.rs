//! Differences of call trees made by hand, read back with an XML parser.

use super::*;
use crate::analyze::call_tree::NodeKind::{Function, Group, Inlined};
use crate::render::flamegraph::tests::{HOSTILE, Row, calls, frames, parse, trace};

/// `compile` spent 100 ms in A itself, 50 in B below it, and 30 in something that went.
const BASE: [Row; 4] = [
    (Group, "compile", 0, 0),
    (Function, "m/amd64.A", 1, 100),
    (Inlined, "m.B", 2, 50),
    (Function, "m.Gone", 1, 30),
];

/// B is twice as heavy, and something is new.
const NEW: [Row; 4] = [
    (Group, "compile", 0, 0),
    (Function, "m/arm64.A", 1, 100),
    (Function, "m.B", 2, 100),
    (Function, "m.Fresh", 1, 20),
];

const FROM_NEW: View = View {
    drawn: Side::New,
    normalize: false,
};
const FROM_BASE: View = View {
    drawn: Side::Base,
    normalize: false,
};

/// Of calls, not of samples: chance has no part in a single run.
fn exact() -> Options {
    Options {
        of_calls: true,
        ..Options::default()
    }
}

fn draw(options: Options, runs: Sides<&[&[Row]]>, view: View) -> Result<String, Error> {
    let trace = trace();
    let analysis = Analysis::of(&trace);
    let mut difference = Differential::new(options);
    for side in [view.drawn, view.drawn.other()] {
        for run in *runs.of(side) {
            difference.add_stacks(side, &analysis, &calls(run));
            difference.sides.of_mut(side).samples += 1;
        }
    }
    let mut out = Vec::new();
    difference.write(view, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

const ONE_EACH: Sides<&[&[Row]]> = Sides {
    base: &[&BASE],
    new: &[&NEW],
};

/// Titles of frames in the order of the picture, with their widths in milliseconds and colours.
fn titles(svg: &str) -> Vec<(String, u64, String)> {
    let frames = frames(&parse(svg)).into_iter();
    let mut frames: Vec<_> = frames
        .map(|(title, width, _, colour)| (title, width / 1_000_000, colour))
        .collect();
    frames.sort();
    frames
}

fn rgb(colour: Rgb) -> String {
    format!("rgb({},{},{})", colour.0, colour.1, colour.2)
}

#[test]
fn frames_of_new_tell_both_values_and_what_changed() {
    let drawn = titles(&draw(exact(), ONE_EACH, FROM_NEW).unwrap());
    let titles: Vec<_> = drawn.iter().map(|frame| (&*frame.0, frame.1)).collect();
    assert_eq!(
        titles,
        [
            (
                "all +22 % (new 220 ms, 100 %; base 180 ms, 100 %; +40.0 ms, +22 %)",
                220
            ),
            (
                "compile +22 % (new 220 ms, 100 %; base 180 ms, 100 %; +40.0 ms, +22 %)",
                220
            ),
            (
                "m.B +100 % (new 100 ms, 45 %; base 50.0 ms, 28 %; +50.0 ms, +100 %; of itself +50.0 ms)",
                100
            ),
            (
                "m.Fresh new (new 20.0 ms, 9.1 %; base 0 s, 0 %; only in new; of itself +20.0 ms)",
                20
            ),
            (
                "m/arm64.A +33 % (new 200 ms, 91 %; base 150 ms, 83 %; +50.0 ms, +33 %)",
                200
            ),
        ]
    );
    let full = rgb(Change::Slower.below_text(1.0));
    assert_eq!((&drawn[2].2, &drawn[3].2), (&full, &full));
    // log2(4/3) = 0.415 of the way that is left.
    assert_eq!(
        drawn[4].2,
        rgb(Change::Slower.below_text(0.15 + 0.85 * 0.415_04))
    );
    // log2(220/180) = 0.2895: the picture as a whole, too.
    assert_eq!(
        drawn[0].2,
        rgb(Change::Slower.below_text(0.15 + 0.85 * 0.289_51))
    );
}

#[test]
fn from_base_what_went_is_drawn_and_colours_keep_their_meaning() {
    let svg = draw(exact(), ONE_EACH, FROM_BASE).unwrap();
    let drawn = titles(&svg);
    let names = drawn.iter().map(|frame| frame.0.split(" (").next());
    let widths = drawn.iter().map(|frame| frame.1);
    let found: Vec<_> = names.map(Option::unwrap).zip(widths).collect();
    assert_eq!(
        found,
        [
            ("all +22 %", 180),
            ("compile +22 %", 180),
            ("m.B +100 %", 50),
            ("m.Gone gone", 30),
            ("m/amd64.A +33 %", 150),
        ]
    );
    assert_eq!(drawn[2].2, rgb(Change::Slower.below_text(1.0)));
    assert_eq!(drawn[3].2, rgb(Change::Faster.below_text(1.0)));
}

/// Words of the picture beside its frames.
fn words(svg: &str) -> Vec<String> {
    let document = parse(svg);
    let texts = document.root_element().children().filter(|node| {
        node.attribute("class") == Some("legend") || node.attribute("id") == Some("title")
    });
    let texts = texts
        .flat_map(|node| node.descendants())
        .filter(|node| node.has_tag_name("text"));
    texts
        .filter_map(|node| node.text().map(str::to_owned))
        .collect()
}

#[test]
fn the_picture_says_what_its_colours_mean_and_what_it_does_not_draw() {
    let command = "go build a<b>,\"c\"";
    let legend = [
        "new is faster",
        "within two standard errors",
        "new is slower",
        "full colour: twice or half",
    ];
    let of_new = words(&draw(exact(), ONE_EACH, FROM_NEW).unwrap());
    let title =
        format!("Time of calls of {command}, new against base: 220 ms against 180 ms, +22 %");
    assert_eq!(
        of_new[..2],
        [title.as_str(), "as wide as in new, compared with base"]
    );
    assert_eq!(of_new[2..6], legend);
    // The trace has no ending, and says so.
    let gaps = "; base: not seen: 1 thing; new: not seen: 1 thing";
    let foot = "17 % of base is in stacks that new does not have: --reverse draws them";
    assert_eq!(of_new[6..], [format!("{foot}{gaps}")]);
    let runs = Sides {
        base: &[&BASE[..], &BASE] as &[&[Row]],
        new: &[&NEW[..]],
    };
    let of_base = words(&draw(exact(), runs, FROM_BASE).unwrap());
    assert_eq!(
        of_base[1],
        "as wide as in base (mean of 2 runs), compared with new"
    );
    assert_eq!(of_base[2..6], legend);
    let foot =
        "9.1 % of new is in stacks that base does not have: without --reverse they are drawn";
    // Several runs, so chance has a part.
    let chance = "; each frame is looked at by itself: of those that did not change, about 1 in 20 has colour";
    assert_eq!(of_base[6..], [format!("{foot}{gaps}{chance}")]);
}

#[test]
fn scaled_base_costs_as_much_as_new() {
    let view = View {
        normalize: true,
        ..FROM_NEW
    };
    let svg = draw(exact(), ONE_EACH, view).unwrap();
    let drawn = titles(&svg);
    // 220/180: 150 ms are 183, 50 are 61.1.
    let found: Vec<_> = drawn
        .iter()
        .map(|frame| frame.0.split("; of").next().unwrap())
        .collect();
    assert_eq!(
        found[0],
        "all (new 220 ms, 100 %; base 220 ms, 100 %; no difference)"
    );
    assert_eq!(
        found[2],
        "m.B +64 % (new 100 ms, 45 %; base 61.1 ms, 28 %; +38.9 ms, +64 %"
    );
    assert_eq!(
        found[4],
        "m/arm64.A +9 % (new 200 ms, 91 %; base 183 ms, 83 %; +16.7 ms, +9.1 %"
    );
    let foot = words(&svg).pop().unwrap();
    assert!(
        foot.starts_with("base is scaled by 1.222 to the total of new; "),
        "{foot}"
    );
    let nothing = Sides {
        base: &[&BASE[..1]] as &[&[Row]],
        new: &[&NEW[..]],
    };
    let refused = draw(exact(), nothing, view).unwrap_err();
    assert!(matches!(refused, Error::NothingToScale));
}

#[test]
fn what_may_be_chance_has_no_colour() {
    // A sample a row: 4 of 4 ms against nothing are fewer than two standard errors.
    const FEW: [Row; 5] = [
        (Function, "f", 0, 1),
        (Function, "f", 0, 1),
        (Function, "f", 0, 1),
        (Function, "f", 0, 1),
        (Function, "g", 0, 1),
    ];
    let runs = Sides {
        base: &[&FEW[4..]] as &[&[Row]],
        new: &[&FEW[..]],
    };
    let sampled = titles(&draw(Options::default(), runs, FROM_NEW).unwrap());
    assert_eq!(
        sampled[1].0,
        "f (new 4.00 ms, 80 %; base 0 s, 0 %; only in new; of itself +4.00 ms; may be chance)"
    );
    assert_eq!(sampled[1].2, rgb(Change::Same.below_text(0.0)));
    let counted = titles(&draw(exact(), runs, FROM_NEW).unwrap());
    assert!(counted[1].0.starts_with("f new ("));
}

#[test]
fn hostile_names_stay_names() {
    const HOSTILE_CALLS: [Row; 3] = [
        (Group, "7", 0, 3),
        (Function, HOSTILE, 1, 4),
        (Function, "<g><title>f1 (", 1, 5),
    ];
    let runs = Sides {
        base: &[&NEW[..]] as &[&[Row]],
        new: &[&HOSTILE_CALLS[..]],
    };
    let svg = draw(exact(), runs, FROM_NEW).unwrap();
    assert!(!svg.contains(['\x1b', '\u{202e}']));
    let document = parse(&svg);
    let scripts = document
        .descendants()
        .filter(|node| node.has_tag_name("script"));
    assert_eq!(scripts.count(), 1);
    let names = titles(&svg).into_iter().map(|frame| frame.0);
    let names: Vec<_> = names
        .map(|name| name.rsplit_once(" (").unwrap().0.to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "7 new",
            "</script>]]>\"'&\\x1b[2J\\u{202e},f\u{a0}12 new",
            "<g><title>f1 ( new",
            "all -95 %",
        ]
    );
}

#[test]
fn turned_stacks_and_deep_ones_are_compared_as_drawn() {
    let options = Options {
        reversed: true,
        ..exact()
    };
    let drawn = titles(&draw(options, ONE_EACH, FROM_NEW).unwrap());
    // A stands for itself, and as the caller of B.
    let of_a: Vec<_> = drawn
        .iter()
        .filter(|frame| frame.0.starts_with("m/arm64.A"))
        .collect();
    assert_eq!((of_a[0].1, of_a[1].1), (100, 100));
    assert!(
        of_a[0]
            .0
            .starts_with("m/arm64.A (new 100 ms, 45 %; base 100 ms, 56 %; no difference)")
    );
    assert!(
        of_a[1]
            .0
            .starts_with("m/arm64.A +100 % (new 100 ms, 45 %; base 50.0 ms, 28 %; ")
    );
    let options = Options {
        most_frames: Some(2),
        ..exact()
    };
    let drawn = titles(&draw(options, ONE_EACH, FROM_NEW).unwrap());
    let names: Vec<_> = drawn
        .iter()
        .map(|frame| frame.0.split(" (new").next().unwrap())
        .collect();
    assert_eq!(names[..2], ["(frames left out) +100 %", "all +22 %"]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let nothing: &[&[Row]] = &[&NEW[..1]];
    let runs = Sides {
        base: &[&BASE[..]] as &[&[Row]],
        new: nothing,
    };
    let refused = draw(Options::default(), runs, FROM_NEW).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "nothing of new passes the filter, of the other side 3 do; --reverse draws those of base"
    );
    assert!(draw(exact(), runs, FROM_BASE).is_ok());
    let neither = Sides {
        base: nothing,
        new: nothing,
    };
    let refused = draw(exact(), neither, FROM_NEW).unwrap_err();
    assert!(matches!(refused, Error::NoCalls));
    let refused = draw(Options::default(), neither, FROM_NEW).unwrap_err();
    assert!(matches!(refused, Error::NothingPasses { samples: 2 }));
    let none = Sides {
        base: nothing,
        new: &[],
    };
    let refused = draw(Options::default(), none, FROM_NEW).unwrap_err();
    assert_eq!(refused.to_string(), "new holds no samples");
}

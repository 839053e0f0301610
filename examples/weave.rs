//! Puts changes of checks into a copy of the sources, all at once, each behind its number:
//! `cargo run --example weave -- LIST COPY FILE...`, as `scripts/break-checks` does.
//!
//! LIST is what `cargo mutants --list --json` prints: a place, and what to put there. COPY is a folder of sources, whose
//! FILEs are changed; `a < b` becomes `crate::broken::compare(&(a), "<", &(b), &[(17, "<=")])`, which compares otherwise if
//! 17 was chosen. So one build serves all changes. What no compiler would take is left out, such as `||` in a
//! condition that binds names. Woven in is also what notes which errors were made: `Err(e)` becomes
//! `crate::broken::met(18, Err(e))`, and so do results of `ok_or` and `map_err`.
//!
//! Prints a line for each: kind (`check`, `error`, or `left` for what was left out), number, place and change, with tabs
//! between.

use anyhow::Context as _;
use proc_macro2::{LineColumn, Span};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::{fs, mem};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, BinOp, Expr, ExprBinary, Pat, PatGuard, UnOp};

/// A change, as cargo-mutants lists it.
#[derive(Debug, Deserialize)]
struct Change {
    name: String,
    file: String,
    genre: String,
    replacement: String,
    span: Place,
}

#[derive(Debug, Deserialize)]
struct Place {
    start: Position,
}

/// Line and column, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Position {
    line: usize,
    column: usize,
}

impl From<LineColumn> for Position {
    fn from(at: LineColumn) -> Self {
        Self {
            line: at.line,
            column: at.column + 1,
        }
    }
}

/// A change that is being woven in.
struct Numbered {
    number: usize,
    replacement: String,
}

/// Walks through a file in its order, and notes what to put where.
struct Weaver<'a> {
    path: &'a str,
    next_number: &'a mut usize,
    wanted: BTreeMap<(&'a str, Position), Vec<&'a Change>>,
    edits: Vec<(Range<usize>, String)>,
    woven: Vec<String>,
}

impl Weaver<'_> {
    fn number(&mut self, kind: &str, what: &str) -> usize {
        *self.next_number += 1;
        let number = *self.next_number;
        self.woven.push(format!("{kind}\t{number}\t{what}"));
        number
    }

    /// The changes of a genre that are wanted at a place; they are so no longer.
    fn changes(&mut self, genre: &'static str, at: Span) -> Vec<Numbered> {
        let changes = self.wanted.remove(&(genre, at.start().into()));
        let changes = changes.unwrap_or_default();
        changes
            .into_iter()
            .map(|change| Numbered {
                number: self.number("check", &change.name),
                replacement: change.replacement.clone(),
            })
            .collect()
    }

    fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.edits.push((at..at, text.into()));
    }

    fn replace(&mut self, what: Span, text: impl Into<String>) {
        self.edits.push((what.byte_range(), text.into()));
    }

    /// Puts text around an expression, and what is woven into it between.
    fn wrap(&mut self, expression: &Expr, before: &str, after: &str) {
        let range = expression.span().byte_range();
        self.insert(range.start, before);
        self.visit_expr(expression);
        self.insert(range.end, after);
    }

    /// Asks of an expression that may make an error whether it has; `inner` weaves into it.
    fn error(&mut self, makes_error: bool, place: Span, inner: impl FnOnce(&mut Self)) {
        if !makes_error {
            return inner(self);
        }
        let at = Position::from(place.start());
        let name = format!("{}:{}:{}: error", self.path, at.line, at.column);
        let number = self.number("error", &name);
        let range = place.byte_range();
        self.insert(range.start, format!("crate::broken::met({number}, "));
        inner(self);
        self.insert(range.end, ")");
    }

    /// A function into which something is woven is constant no longer.
    fn function(&mut self, signature: &syn::Signature, inner: impl FnOnce(&mut Self)) {
        let (edit, number) = (self.edits.len(), *self.next_number);
        inner(self);
        if let Some(constant) = signature.constness
            && *self.next_number != number
        {
            self.edits
                .insert(edit, (constant.span().byte_range(), String::new()));
        }
    }

    fn comparison(&mut self, binary: &ExprBinary, operator: &str, changes: &[Numbered]) {
        let others: String = changes
            .iter()
            .map(|change| format!("({}, {:?}), ", change.number, change.replacement))
            .collect();
        let function = match operator {
            "==" | "!=" => "equal",
            _ => "compare",
        };
        self.wrap(&binary.left, &format!("crate::broken::{function}(&("), ")");
        self.replace(binary.op.span(), format!(", {operator:?}, "));
        self.wrap(&binary.right, "&(", &format!("), &[{others}])"));
    }

    /// A guard that may hold always, or never, or not for an arm that is taken away.
    fn guard(&mut self, guard: &Expr, kept: &str) {
        let mut before = kept.to_owned();
        if !kept.is_empty() {
            before.push_str(" && ");
        }
        if has_let(guard) {
            return self.wrap(guard, &before, "");
        }
        let changes = self.changes("MatchArmGuard", guard.span());
        for Numbered {
            number,
            replacement,
        } in &changes
        {
            before.push_str(&match replacement.as_str() {
                "true" => format!("(crate::broken::is({number}) || "),
                _ => format!("(!crate::broken::is({number}) && "),
            });
        }
        self.wrap(guard, &(before + "("), &")".repeat(changes.len() + 1));
    }

    /// A condition is turned round as a whole: `!(!a && !b)` is `a || b`.
    fn junction(&mut self, binary: &ExprBinary, number: usize) {
        let turn = format!("(crate::broken::is({number}) != (");
        self.wrap(&binary.left, &format!("{turn}{turn}"), "))");
        self.wrap(&binary.right, &turn, "))))");
    }
}

impl<'ast> Visit<'ast> for Weaver<'_> {
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_test(&function.attrs) {
            self.function(&function.sig, |weaver| weaver.visit_block(&function.block));
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_test(&function.attrs) {
            self.function(&function.sig, |weaver| weaver.visit_block(&function.block));
        }
    }

    fn visit_expr_match(&mut self, matched: &'ast syn::ExprMatch) {
        // Without an arm for all else none can be spared.
        if !matched
            .arms
            .iter()
            .any(|arm| matches!(arm.pat, Pat::Wild(_)))
        {
            for arm in &matched.arms {
                self.wanted.remove(&("MatchArm", arm.span().start().into()));
            }
        }
        visit::visit_expr_match(self, matched);
    }

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        let operator = match binary.op {
            BinOp::And(_) => "&&",
            BinOp::Or(_) => "||",
            BinOp::Eq(_) => "==",
            BinOp::Ne(_) => "!=",
            BinOp::Lt(_) => "<",
            BinOp::Le(_) => "<=",
            BinOp::Gt(_) => ">",
            BinOp::Ge(_) => ">=",
            _ => return visit::visit_expr_binary(self, binary),
        };
        if has_let(&binary.left) || has_let(&binary.right) {
            return visit::visit_expr_binary(self, binary);
        }
        let changes = self.changes("BinaryOperator", binary.op.span());
        match (operator, changes.as_slice()) {
            (_, []) => visit::visit_expr_binary(self, binary),
            ("&&" | "||", [change, ..]) => self.junction(binary, change.number),
            (_, changes) => self.comparison(binary, operator, changes),
        }
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        if let UnOp::Not(not) = unary.op
            && let [change] = self.changes("UnaryOperator", not.span()).as_slice()
        {
            self.replace(
                not.span(),
                format!("crate::broken::not({}, ", change.number),
            );
            self.wrap(&unary.expr, "", ")");
        } else {
            visit::visit_expr_unary(self, unary);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let deleted = self.changes("MatchArm", arm.span());
        let mut kept = String::new();
        if let [change] = deleted.as_slice() {
            kept = format!("!crate::broken::is({})", change.number);
        }
        match &arm.pat {
            Pat::Guard(PatGuard { guard, .. }) => self.guard(guard, &kept),
            _ if kept.is_empty() => {}
            pattern => self.insert(pattern.span().byte_range().end, format!(" if {kept}")),
        }
        self.visit_expr(&arm.body);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let makes_error = matches!(&*call.func, Expr::Path(path) if path.path.is_ident("Err"));
        self.error(makes_error, call.span(), |weaver| {
            visit::visit_expr_call(weaver, call);
        });
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let makes_error = ["ok_or", "ok_or_else", "map_err"];
        let makes_error = makes_error.iter().any(|name| call.method == name);
        self.error(makes_error, call.span(), |weaver| {
            visit::visit_expr_method_call(weaver, call);
        });
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && matches!(attribute.parse_args::<syn::Path>(), Ok(path) if path.is_ident("test"))
    })
}

/// Whether a condition binds names, so that it can stand nowhere else.
fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

/// The text with its edits, which are in its order.
fn edited(text: &str, edits: &[(Range<usize>, String)]) -> anyhow::Result<String> {
    let mut result = String::new();
    let mut done = 0;
    for (range, replacement) in edits {
        let kept = text.get(done..range.start);
        result.push_str(kept.with_context(|| format!("byte {} is woven too late", range.start))?);
        result.push_str(replacement);
        done = range.end;
    }
    result.push_str(text.get(done..).unwrap_or_default());
    Ok(result)
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(list), Some(copy)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: weave LIST COPY FILE...");
    };
    let paths: Vec<String> = arguments.collect();
    let mut changes: Vec<Change> = serde_json::from_slice(&fs::read(&list)?)
        .with_context(|| format!("{list}: is no list of cargo-mutants"))?;
    // They come whatever was asked for; a field that is taken away is no check.
    changes.retain(|change| change.genre != "StructField");
    let mut files: BTreeMap<&str, BTreeMap<(&str, Position), Vec<&Change>>> = paths
        .iter()
        .map(|path| (path.as_str(), BTreeMap::new()))
        .collect();
    for change in &changes {
        let places = files.entry(&change.file).or_default();
        let place = (change.genre.as_str(), change.span.start);
        places.entry(place).or_default().push(change);
    }
    let mut output = std::io::stdout().lock();
    let mut next_number = 0;
    for (path, wanted) in files {
        let file = Path::new(&copy).join(path);
        let text = fs::read_to_string(&file).with_context(|| format!("{path}: cannot be read"))?;
        let mut weaver = Weaver {
            path,
            next_number: &mut next_number,
            wanted,
            edits: Vec::new(),
            woven: Vec::new(),
        };
        weaver.visit_file(&syn::parse_file(&text).with_context(|| format!("{path}: is not Rust"))?);
        let edits = mem::take(&mut weaver.edits);
        fs::write(
            &file,
            edited(&text, &edits).with_context(|| path.to_owned())?,
        )?;
        for line in &weaver.woven {
            writeln!(output, "{line}")?;
        }
        for change in weaver.wanted.values().flatten() {
            writeln!(output, "left\t0\t{}", change.name)?;
        }
    }
    Ok(())
}

//! How long files and functions are. `cargo test --test architecture sizes -- --nocapture` prints it, for another tree with
//! `SOURCES` set to its `src`.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ImplItemFn, ItemFn, Signature, Stmt, TraitItemFn};

use crate::sources::sources;

/// The most lines of a function that is no table, from its signature to its closing brace.
const FUNCTION_LINES: usize = 60;

pub struct Function {
    name: String,
    pub lines: usize,
    is_table: bool,
}

#[derive(Default)]
struct Functions(Vec<Function>);

impl Functions {
    fn note(&mut self, signature: &Signature, block: &Block) {
        let lines = signature.span().start().line..=block.span().end().line;
        let (name, is_table) = (signature.ident.to_string(), is_table(block));
        self.0.push(Function { name, lines: lines.count(), is_table });
    }
}

impl<'code> Visit<'code> for Functions {
    fn visit_item_fn(&mut self, function: &'code ItemFn) {
        self.note(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'code ImplItemFn) {
        self.note(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'code TraitItemFn) {
        if let Some(block) = &function.default {
            self.note(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Whether a function is data: after at most three statements nothing but one `match`, list or struct, each entry of which is
/// read by itself.
fn is_table(block: &Block) -> bool {
    let value = match block.stmts.as_slice() {
        [before @ .., Stmt::Expr(value, None)] if before.len() <= 3 => value,
        _ => return false,
    };
    let value = match value {
        Expr::Call(call) if call.args.len() == 1 => &call.args[0],
        other => other,
    };
    match value {
        Expr::Match(_) | Expr::Array(_) | Expr::Struct(_) => true,
        Expr::Macro(list) => list.mac.path.is_ident("vec"),
        _ => false,
    }
}

/// The lines on which code stands: not blank, no comment.
fn code_lines(text: TokenStream, found: &mut BTreeSet<usize>) {
    let mut tokens = text.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Punct(mark) if mark.as_char() == '#' && tokens.peek().is_some_and(is_comment) => {
                tokens.next();
            }
            TokenTree::Group(group) => {
                found.extend([group.span_open().start().line, group.span_close().start().line]);
                code_lines(group.stream(), found);
            }
            other => found.extend(other.span().start().line..=other.span().end().line),
        }
    }
}

/// Whether a documentation comment stands there: the compiler reads it as `#[doc = "…"]`.
fn is_comment(attribute: &TokenTree) -> bool {
    matches!(attribute, TokenTree::Group(group) if group.stream().to_string().starts_with("doc ="))
}

/// How many lines of a file hold code.
pub fn lines(code: &syn::File) -> usize {
    let mut lines = BTreeSet::new();
    code_lines(code.to_token_stream(), &mut lines);
    lines.len()
}

/// The functions of a file.
pub fn functions(code: &syn::File) -> Vec<Function> {
    let mut functions = Functions::default();
    functions.visit_file(code);
    functions.0
}

fn show(what: &str, mut lines: Vec<usize>) {
    lines.sort_unstable();
    let at = |tenths: usize| lines[lines.len() * tenths / 10];
    let (all, median, most) = (lines.iter().sum::<usize>(), at(5), at(9));
    println!(
        "{what}: {} of {all} lines, median {median}, 90th percentile {most}, longest {}",
        lines.len(),
        lines[lines.len() - 1]
    );
}

#[test]
fn functions_are_short_unless_they_are_tables() {
    let functions =
        || sources().iter().flat_map(|source| source.functions.iter().map(move |it| (source, it)));
    show("files", sources().iter().map(|source| source.lines).collect());
    show("functions", functions().map(|(_, function)| function.lines).collect());
    let long: Vec<_> = functions()
        .filter(|(_, function)| function.lines > FUNCTION_LINES && !function.is_table)
        .map(|(source, it)| format!("{}: {} has {} lines", source.file.display(), it.name, it.lines))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

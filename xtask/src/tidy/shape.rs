//! Sizes: lines of a file, lines and parameters and depth of a function, columns.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::complaint::Complaint;
use super::source::Source;

/// Complaints about what is too big to read at once.
pub(crate) fn check(source: &Source) -> Vec<Complaint> {
    if source.is_table() {
        return Vec::new();
    }
    let mut shape = Shape {
        source,
        quoted: quoted_lines(source.tokens.clone()),
        of_trait: false,
        complaints: vec![],
    };
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        shape.complain(1, format!("{lines} lines; split the file at {FILE_LINES_MAX}"));
    }
    for (number, line) in (1..).zip(source.text.lines()) {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX && !cannot_be_broken(line) {
            shape.complain(number, format!("{columns} columns; break it at {COLUMNS_MAX}"));
        }
    }
    shape.visit_file(&source.syntax);
    shape.complaints
}

struct Shape<'s> {
    source: &'s Source,
    /// Lines that continue a string literal; their indentation is content.
    quoted: BTreeSet<usize>,
    /// Inside an implementation of a trait, whose signatures are not its own to choose.
    of_trait: bool,
    complaints: Vec<Complaint>,
}

impl Shape<'_> {
    fn complain(&mut self, line: usize, what: String) {
        self.complaints.push(Complaint::new(&self.source.path, line, what));
    }

    fn judge(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let (name, first) = (&signature.ident, signature.fn_token.span.start().line);
        let last = body.brace_token.span.close().end().line;
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES_MAX {
            let what = format!("`{name}` has {lines} lines; split it at {FUNCTION_LINES_MAX}");
            self.complain(first, what);
        }
        if signature.inputs.len() > PARAMETERS_MAX && !self.of_trait {
            let what = format!("`{name}` has {} parameters", signature.inputs.len());
            self.complain(first, format!("{what}; put those that belong together into a type"));
        }
        if let Some((line, levels)) = self.deepest(first, last)
            && levels > LEVELS_MAX
        {
            let what = format!("`{name}` is {levels} levels deep; return early or name a part");
            self.complain(line, what);
        }
    }

    /// The deepest line between the first and the last of a function, and its depth below the
    /// statements of the body.
    fn deepest(&self, first: usize, last: usize) -> Option<(usize, usize)> {
        let lines = (1..).zip(self.source.text.lines()).take(last).skip(first);
        let plain =
            lines.filter(|(number, line)| !line.trim().is_empty() && !self.quoted.contains(number));
        let body = indentation(self.source.text.lines().nth(last - 1)?) + INDENTATION;
        plain
            .map(|(number, line)| (number, indentation(line).saturating_sub(body) / INDENTATION))
            .max_by_key(|(number, levels)| (*levels, std::cmp::Reverse(*number)))
    }
}

impl<'s> Visit<'s> for Shape<'_> {
    fn visit_item_fn(&mut self, item: &'s syn::ItemFn) {
        self.judge(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'s syn::ItemImpl) {
        let outer = std::mem::replace(&mut self.of_trait, item.trait_.is_some());
        visit::visit_item_impl(self, item);
        self.of_trait = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &'s syn::ImplItemFn) {
        self.judge(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'s syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.judge(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// True for an address and for a row of a table in a comment.
fn cannot_be_broken(line: &str) -> bool {
    let comment = line.trim_start().trim_start_matches(['/', '!']).trim_start();
    line.contains("https://") || line.trim_start().starts_with("//") && comment.starts_with('|')
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn quoted_lines(tokens: TokenStream) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Literal(literal) => {
                let span = literal.span();
                lines.extend(span.start().line + 1..=span.end().line);
            }
            TokenTree::Group(group) => lines.extend(quoted_lines(group.stream())),
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
    lines
}

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;
const PARAMETERS_MAX: usize = 5;
const LEVELS_MAX: usize = 4;
const COLUMNS_MAX: usize = 100;
/// Columns of one level of indentation.
const INDENTATION: usize = 4;

#[cfg(test)]
mod tests;

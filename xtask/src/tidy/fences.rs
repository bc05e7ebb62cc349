//! What may stand only in certain places: unsafe code, the environment, sleeping, ignored tests.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::complaint::Complaint;
use super::paths::NamedPath;
use super::source::Source;

/// Complaints about what stands outside its fence.
pub(crate) fn check(source: &Source, paths: &[NamedPath]) -> Vec<Complaint> {
    let complain = |line, what: &str| Complaint::new(&source.path, line, what);
    let mut complaints = Vec::new();
    let crate_folder = source.crate_folder();
    if !UNSAFE_CRATES.contains(&crate_folder) {
        let lines = lines_of("unsafe", source.tokens.clone());
        complaints.extend(lines.into_iter().map(|line| complain(line, UNSAFE)));
        if is_crate_root(source) && !source.text.contains("#![forbid(unsafe_code)]") {
            complaints.push(complain(1, FORBID));
        }
    }
    for path in paths {
        if path.starts_with(&["std", "env"]) && !may_read_environment(source) {
            complaints.push(complain(path.line, ENVIRONMENT));
        }
    }
    let mut habits = Habits::default();
    habits.visit_file(&source.syntax);
    complaints.extend(habits.ignored.into_iter().map(|line| complain(line, IGNORED)));
    if source.is_test() && !MAY_SLEEP.iter().any(|path| source.path.starts_with(path)) {
        complaints.extend(habits.sleeping.into_iter().map(|line| complain(line, SLEEP)));
    }
    complaints
}

/// Lines with `#[ignore]` without a reason, and with a sleep outside a loop that waits.
#[derive(Default)]
struct Habits {
    ignored: Vec<usize>,
    sleeping: Vec<usize>,
    loops: usize,
}

impl<'s> Visit<'s> for Habits {
    fn visit_attribute(&mut self, attribute: &'s syn::Attribute) {
        if let syn::Meta::Path(path) = &attribute.meta
            && path.is_ident("ignore")
        {
            self.ignored.push(attribute.pound_token.span.start().line);
        }
    }

    fn visit_expr_loop(&mut self, expression: &'s syn::ExprLoop) {
        self.loops += 1;
        visit::visit_expr_loop(self, expression);
        self.loops -= 1;
    }

    fn visit_expr_while(&mut self, expression: &'s syn::ExprWhile) {
        self.loops += 1;
        visit::visit_expr_while(self, expression);
        self.loops -= 1;
    }

    fn visit_expr_call(&mut self, call: &'s syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func
            && let Some(name) = function.path.segments.last()
            && name.ident == "sleep"
            && self.loops == 0
        {
            self.sleeping.push(name.ident.span().start().line);
        }
        visit::visit_expr_call(self, call);
    }
}

fn lines_of(word: &str, tokens: TokenStream) -> Vec<usize> {
    let mut lines = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if ident == word => lines.push(ident.span().start().line),
            TokenTree::Group(group) => lines.extend(lines_of(word, group.stream())),
            _ => {}
        }
    }
    lines
}

fn is_crate_root(source: &Source) -> bool {
    let in_src = source.path.iter().nth(1).is_some_and(|part| part == "src");
    in_src && matches!(source.module().as_slice(), [] | ["bin", _] | ["bin", _, "main"])
}

fn may_read_environment(source: &Source) -> bool {
    let module = source.module();
    source.is_test()
        || source.crate_folder() == "xtask"
        || module.first() == Some(&"bin")
        || source.path.ends_with("build.rs")
}

const UNSAFE_CRATES: &[&str] = &["waypoint-ebpf", "waypoint-common"];
/// The place where stories wait, and the servers that are slow because a client asks for it.
const MAY_SLEEP: &[&str] = &["tests/src/lab/wait.rs", "tests/src/shop"];
const UNSAFE: &str = "unsafe code belongs to waypoint-ebpf and waypoint-common; nix and aya have \
                      safe calls for the rest";
const FORBID: &str = "a crate root without #![forbid(unsafe_code)]; add it";
const ENVIRONMENT: &str = "std::env is read in binaries only; take a typed setting as a parameter";
const SLEEP: &str = "a test that sleeps; wait for a condition with a deadline";
const IGNORED: &str = "#[ignore] without a reason; write #[ignore = \"why\"]";

#[cfg(test)]
mod tests;

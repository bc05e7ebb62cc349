//! Names of files, modules and types: nouns of the domain, none that would fit any program.

use syn::visit::{self, Visit};

use super::complaint::Complaint;
use super::source::Source;

/// Complaints about names that say nothing.
pub(crate) fn check(source: &Source) -> Vec<Complaint> {
    let mut names = Names { source, complaints: Vec::new() };
    if source.path.ends_with("mod.rs") {
        names.complain(1, "mod.rs is not used here; name the file after its module".to_owned());
    }
    for part in source.path.iter().skip(1).filter_map(|part| part.to_str()) {
        names.judge("file", part.trim_end_matches(".rs"), 1);
    }
    let documented = source.syntax.attrs.iter().any(|attribute| attribute.path().is_ident("doc"));
    if !documented && !source.is_test() {
        names.complain(1, "no module doc; say in a sentence what this is, and what not".to_owned());
    }
    names.visit_file(&source.syntax);
    names.complaints
}

struct Names<'s> {
    source: &'s Source,
    complaints: Vec<Complaint>,
}

impl Names<'_> {
    fn complain(&mut self, line: usize, what: String) {
        self.complaints.push(Complaint::new(&self.source.path, line, what));
    }

    fn judge(&mut self, kind: &str, name: &str, line: usize) {
        if ALLOWED.contains(&name) {
            return;
        }
        if let Some(word) = words(name).iter().find(|word| BANNED.contains(&word.as_str())) {
            let what = format!("{kind} `{name}`: `{word}` fits anything; name the thing it is");
            self.complain(line, what);
        }
    }

    fn judge_type(&mut self, name: &syn::Ident) {
        self.judge("type", &name.to_string(), name.span().start().line);
    }
}

impl<'s> Visit<'s> for Names<'_> {
    fn visit_item_struct(&mut self, item: &'s syn::ItemStruct) {
        self.judge_type(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'s syn::ItemEnum) {
        self.judge_type(&item.ident);
    }

    fn visit_item_type(&mut self, item: &'s syn::ItemType) {
        self.judge_type(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &'s syn::ItemTrait) {
        self.judge_type(&item.ident);
    }

    fn visit_item_mod(&mut self, item: &'s syn::ItemMod) {
        self.judge("module", &item.ident.to_string(), item.ident.span().start().line);
        visit::visit_item_mod(self, item);
    }
}

/// The words of a name in snake_case, kebab-case or CamelCase, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter.is_uppercase() || letter == '_' || letter == '-' {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

const BANNED: &[&str] = &[
    "manager",
    "helper",
    "helpers",
    "util",
    "utils",
    "handler",
    "handlers",
    "processor",
    "info",
    "data",
    "common",
    "misc",
    "impl",
];
/// The kernel side is called the data path by everyone in the field.
const ALLOWED: &[&str] = &["DataPath", "data_path"];

#[cfg(test)]
mod tests;

//! Words that must not stay in a repository: notes to oneself, banners, places outside it.

use std::path::Path;

use super::complaint::Complaint;
use super::source::Source;

/// Complaints about the comments and the text of a Rust file.
pub(crate) fn check(source: &Source) -> Vec<Complaint> {
    let mut complaints = check_text(&source.path, &source.text);
    for (number, line) in (1..).zip(source.text.lines()) {
        let Some(comment) = comment(line) else { continue };
        let complain = |what: &str| Complaint::new(&source.path, number, what);
        if NOTES.iter().any(|note| comment.contains(note)) {
            complaints.push(complain("a note to oneself; do it, or write an issue"));
        }
        if comment.starts_with("---") || comment.starts_with("===") {
            complaints.push(complain("a banner; a file that needs one wants to be two files"));
        }
        if names_an_issue(comment) {
            complaints.push(complain("an issue number; say what it said"));
        }
    }
    complaints
}

/// Complaints about any text of the repository.
pub(crate) fn check_text(path: &Path, text: &str) -> Vec<Complaint> {
    let numbered = (1..).zip(text.lines());
    let outside = numbered.filter(|(_, line)| OUTSIDE.iter().any(|place| line.contains(place)));
    let what = "names a place outside the repository; say here what is needed";
    outside.map(|(number, _)| Complaint::new(path, number, what)).collect()
}

/// The text of a line that is a comment.
fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.trim_start_matches(['/', '!']).trim())
}

/// True for a bare `#12`; a number that belongs to a named project is a reference.
fn names_an_issue(comment: &str) -> bool {
    comment.split([' ', '(', ',']).any(|word| {
        word.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
const OUTSIDE: &[&str] = &[concat!("..", "/shared"), concat!("/", "work/")];

#[cfg(test)]
mod tests;

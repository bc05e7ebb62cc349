//! Whether a path fits a template.
//!
//! Templates are parsed by `mesh::policy`; empty segments count, so `//` is never the same as `/`.

use crate::mesh::policy::{PathTemplate, TemplateSegment};

/// Whether the whole path fits.
pub(super) fn matches(template: &PathTemplate, path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let mut rest = path.split('/');
    let mut wanted = template.segments.iter();
    while let Some(segment) = wanted.next() {
        if *segment == TemplateSegment::Many {
            // Nothing but literals follows, so the end of the path must be they, and at least the
            // empty text before them is left for this.
            let literals_fit = wanted.rev().all(|last| fits(last, rest.next_back()));
            return literals_fit && rest.next().is_some();
        }
        if !fits(segment, rest.next()) {
            return false;
        }
    }
    rest.next().is_none()
}

/// Whether a segment of a path is there and fits one of a template.
fn fits(wanted: &TemplateSegment, segment: Option<&str>) -> bool {
    segment.is_some_and(|segment| match wanted {
        TemplateSegment::Literal(literal) => segment == literal,
        TemplateSegment::One => !segment.is_empty(),
        TemplateSegment::Many => true,
    })
}

//! Changes of a request's path (Gateway API HTTPPathModifier).

use crate::mesh::route::PathEdit;

/// The path after an edit; `None` when it stays, because no prefix was matched that could be
/// replaced.
pub(super) fn apply(edit: &PathEdit, path: &str, prefix_len: Option<usize>) -> Option<String> {
    let edited = match edit {
        PathEdit::Full(full) => full.clone(),
        PathEdit::Prefix(replacement) => {
            let rest = path.strip_prefix('/').and(path.get(prefix_len?..))?;
            format!("{}{rest}", replacement.trim_end_matches('/'))
        }
    };
    Some(if edited.starts_with('/') { edited } else { format!("/{edited}") })
}

/// The path with the request's query, unless it came with one of its own.
pub(super) fn with_query(mut path: String, query: Option<&str>) -> String {
    if let Some(query) = query
        && !path.contains('?')
    {
        path.push('?');
        path.push_str(query);
    }
    path
}

//! Edits of header fields. A line of the input is a field of the request (`name: value`), or what
//! an edit does to it: `=name: value` sets, `+name: value` adds, `-name` removes; `~` begins the
//! next edit.
//!
//! What edits leave is what the simplest reading of them leaves, and what is written of it is read
//! as the same fields and nothing else.
#![no_main]

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use waypoint_user::{
    http1::{Framing, HEADERS_MAX, parse_request, write_request},
    mesh::route::HeaderEdit,
    proxy::edit_fields,
};

/// The values of each name, in order.
type Values = BTreeMap<String, Vec<Vec<u8>>>;

fuzz_target!(|text: &str| {
    if text.len() > INPUT_BYTES_MAX {
        return;
    }
    let (mut headers, edits) = read(text);
    let mut wanted = values_of(&headers);
    for edit in &edits {
        apply(&mut wanted, edit);
    }
    edit_fields(&mut headers, edits.iter());
    assert_eq!(values_of(&headers), wanted);
    for framing in ["content-length", "transfer-encoding"] {
        headers.remove(framing);
        wanted.remove(framing);
    }
    if headers.len() <= HEADERS_MAX {
        assert_eq!(written_and_read(&headers), trimmed(wanted));
    }
});

/// What a reader makes of the fields when they are written as a request's.
fn written_and_read(headers: &HeaderMap) -> Values {
    let mut output = BytesMut::new();
    write_request((&Method::GET, "/"), (headers, None), Framing::None, &mut output);
    let mut input = Bytes::from(output);
    let request = parse_request(&mut input).expect("a request").expect("a whole one");
    assert!(input.is_empty() && request.framing == Framing::None, "more than was written");
    values_of(&request.headers)
}

/// Spaces around a value are none of it (RFC 9110 section 5.5).
fn trimmed(mut values: Values) -> Values {
    for value in values.values_mut().flatten() {
        *value = value.trim_ascii().to_vec();
    }
    values
}

/// Set, add, remove, one after the other; what is no field is left out.
fn apply(values: &mut Values, edit: &HeaderEdit) {
    let fields = |of: &[(String, String)]| {
        let fields = of.iter().filter(|(name, value)| is_name(name) && is_value(value));
        fields.cloned().collect::<Vec<_>>()
    };
    for (name, value) in fields(&edit.set) {
        values.insert(name.to_ascii_lowercase(), vec![value.into_bytes()]);
    }
    for (name, value) in fields(&edit.add) {
        values.entry(name.to_ascii_lowercase()).or_default().push(value.into_bytes());
    }
    for name in &edit.remove {
        values.remove(&name.to_ascii_lowercase());
    }
}

/// A token (RFC 9110 section 5.6.2).
fn is_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

fn is_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control())
}

fn values_of(headers: &HeaderMap) -> Values {
    let mut values = Values::new();
    for (name, value) in headers {
        values.entry(name.to_string()).or_default().push(value.as_bytes().to_vec());
    }
    values
}

/// The fields of a request, and the edits of it.
fn read(text: &str) -> (HeaderMap, Vec<HeaderEdit>) {
    let (mut headers, mut edits) = (HeaderMap::new(), vec![HeaderEdit::default()]);
    let pair =
        |text: &str| text.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    for line in text.split('\n') {
        let Some(edit) = edits.last_mut() else { continue };
        if let Some(rest) = line.strip_prefix('=') {
            edit.set.extend(pair(rest));
        } else if let Some(rest) = line.strip_prefix('+') {
            edit.add.extend(pair(rest));
        } else if let Some(rest) = line.strip_prefix('-') {
            edit.remove.push(rest.to_owned());
        } else if line == "~" {
            edits.push(HeaderEdit::default());
        } else if let Some((name, value)) = pair(line)
            && let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
        {
            headers.append(name, value);
        }
    }
    (headers, edits)
}

/// Longest input: far less than the longest head.
const INPUT_BYTES_MAX: usize = 16 * 1024;

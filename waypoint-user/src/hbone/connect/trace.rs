//! The field `traceparent` (W3C Trace Context, version 00).

/// A new one, sampled by nobody yet.
pub fn fresh() -> String {
    let trace = fastrand::u128(1..);
    let span = fastrand::u64(1..);
    format!("00-{trace:032x}-{span:016x}-00")
}

/// True for `00-<trace>-<span>-<flags>` in lower-case hexadecimal, where neither id is zero.
pub fn is_valid(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next = |length| parts.next().filter(|part| part.len() == length && is_hex(part));
    let (version, trace, span, flags) = (next(2), next(32), next(16), next(2));
    let is_set = |part: Option<&str>| part.is_some_and(|part| part.bytes().any(|b| b != b'0'));
    version == Some("00")
        && is_set(trace)
        && is_set(span)
        && flags.is_some()
        && parts.next().is_none()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

//! B3, Zipkin's propagation: the field `b3`, and the fields `x-b3-…`.

use http::{HeaderMap, HeaderName};

use super::{
    context::{Context, Decision, Received, insert, low_half, only},
    w3c::digits,
};

/// How wide B3 writes a trace.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Widths {
    /// 32 digits.
    #[default]
    Long,
    /// 16 digits, as older tracers do; so it stays on the way.
    Short,
}

/// What a `b3` says, if it is one: `TRACE-SPAN[-STATE[-PARENT]]`, or a state alone.
pub(super) fn parse(text: &str) -> Option<Received> {
    let mut parts = text.split('-');
    let first = parts.next()?;
    let Some(span) = parts.next() else {
        return Some(Received { decision: Some(state(first)?), ..Received::default() });
    };
    let decision = parts.next().map(|text| state(text).ok_or(())).transpose().ok()?;
    let parent_is_fine = parts.next().is_none_or(|parent| id(parent).is_some());
    if !parent_is_fine || parts.next().is_some() {
        return None;
    }
    Some(Received { decision, ..ids(first, span)? })
}

/// What the fields `x-b3-…` say, if they say anything.
pub(super) fn parse_fields(headers: &HeaderMap) -> Option<Received> {
    let debug = only(headers, &FLAGS).filter(|flags| *flags == "1").map(|_| Decision::Debug);
    let decision = debug.or_else(|| only(headers, &SAMPLED).and_then(sampled));
    let span = only(headers, &SPAN);
    let known = only(headers, &TRACE).zip(span).and_then(|(trace, span)| ids(trace, span));
    if known.is_none() && decision.is_none() {
        return None;
    }
    Some(Received { decision, ..known.unwrap_or_default() })
}

/// Writes what follows in the formats that a request came with.
pub(super) fn write(context: &Context, headers: &mut HeaderMap) {
    if headers.contains_key(&SINGLE) {
        insert(headers, &SINGLE, &single(context));
    }
    if ALL.iter().any(|name| headers.contains_key(*name)) {
        write_fields(context, headers);
    }
}

fn single(context: &Context) -> String {
    let state = match context.decision {
        Decision::Drop => '0',
        Decision::Keep => '1',
        Decision::Debug => 'd',
    };
    let parent = context.parent.map(|parent| format!("-{parent:016x}")).unwrap_or_default();
    format!("{}-{:016x}-{state}{parent}", trace(context), context.span)
}

fn write_fields(context: &Context, headers: &mut HeaderMap) {
    insert(headers, &TRACE, &trace(context));
    insert(headers, &SPAN, &format!("{:016x}", context.span));
    match context.parent {
        Some(parent) => insert(headers, &PARENT, &format!("{parent:016x}")),
        None => drop(headers.remove(&PARENT)),
    }
    // To debug is to sample, so only one of the two is said.
    let (said, value, unsaid) = match context.decision {
        Decision::Drop => (&SAMPLED, "0", &FLAGS),
        Decision::Keep => (&SAMPLED, "1", &FLAGS),
        Decision::Debug => (&FLAGS, "1", &SAMPLED),
    };
    headers.remove(unsaid);
    insert(headers, said, value);
}

/// The trace, as wide as it came.
fn trace(context: &Context) -> String {
    match context.widths {
        Widths::Long => format!("{:032x}", context.trace),
        Widths::Short => format!("{:016x}", low_half(context.trace)),
    }
}

fn ids(trace: &str, span: &str) -> Option<Received> {
    let widths = match trace.len() {
        SHORT_DIGITS => Widths::Short,
        LONG_DIGITS => Widths::Long,
        _ => return None,
    };
    let trace = digits(trace.as_bytes()).filter(|trace| *trace > 0)?;
    Some(Received { ids: Some((trace, id(span)?)), widths, ..Received::default() })
}

/// The number of a span.
fn id(text: &str) -> Option<u64> {
    let number = digits(text.as_bytes()).filter(|_| text.len() == SHORT_DIGITS)?;
    u64::try_from(number).ok().filter(|number| *number > 0)
}

/// The state in a `b3`.
fn state(text: &str) -> Option<Decision> {
    match text {
        "0" => Some(Decision::Drop),
        "1" => Some(Decision::Keep),
        "d" => Some(Decision::Debug),
        _ => None,
    }
}

/// That in `x-b3-sampled`, where older tracers write words.
fn sampled(text: &str) -> Option<Decision> {
    match text {
        "0" | "false" => Some(Decision::Drop),
        "1" | "true" => Some(Decision::Keep),
        _ => None,
    }
}

/// All in one.
pub(super) static SINGLE: HeaderName = HeaderName::from_static("b3");
/// One each.
static TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
static SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
static PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");
static SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
static FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");
static ALL: [&HeaderName; 5] = [&TRACE, &SPAN, &PARENT, &SAMPLED, &FLAGS];

/// How many digits ids have.
const SHORT_DIGITS: usize = 16;
const LONG_DIGITS: usize = 32;

#[cfg(test)]
mod tests;

//! The fields that both sides know from the beginning (RFC 7541 appendix A).

use std::sync::LazyLock;

use super::table::Entry;

/// The field of an index.
pub(super) fn entry(index: usize) -> Option<&'static Entry> {
    ENTRIES.get(index.checked_sub(1)?)
}

/// The least index of a field that has this name, and its value.
pub(super) fn find(name: &str, hash: usize) -> Option<(usize, &'static str)> {
    find_in(&BY_NAME, name, hash)
}

fn find_in(slots: &[u8; SLOTS], name: &str, hash: usize) -> Option<(usize, &'static str)> {
    let mut slot = hash % SLOTS;
    loop {
        let index = usize::from(*slots.get(slot)?);
        let &(known, value) = FIELDS.get(index.checked_sub(1)?)?;
        if known == name {
            return Some((index, value));
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// A number by which names are found: made of few bytes of it, because it is wanted often.
pub(super) fn hash(name: &[u8]) -> usize {
    let byte = |place: usize| name.get(place).map_or(0, |byte| usize::from(*byte));
    let len = name.len();
    len + 31 * byte(0) + 7 * byte(len / 2) + 17 * byte(len.wrapping_sub(1))
}

/// Indices by the hashes of names; names whose place is taken are behind it.
fn by_name() -> [u8; SLOTS] {
    let mut slots = [0; SLOTS];
    for ((name, _), index) in FIELDS.iter().zip(1..) {
        if find_in(&slots, name, hash(name.as_bytes())).is_none() {
            let wanted = hash(name.as_bytes()) % SLOTS;
            let (before, behind) = slots.split_at_mut(wanted);
            if let Some(slot) = behind.iter_mut().chain(before).find(|slot| **slot == 0) {
                *slot = index;
            }
        }
    }
    slots
}

/// How many fields there are.
pub(super) const LEN: usize = FIELDS.len();

const SLOTS: usize = 256;

static BY_NAME: LazyLock<[u8; SLOTS]> = LazyLock::new(by_name);

static ENTRIES: LazyLock<[Entry; LEN]> = LazyLock::new(|| FIELDS.map(Entry::fixed));

const FIELDS: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

//! What of a request is hashed, so that it goes where others of its kind go.
//!
//! Where that is, is `balance`'s.

use crate::{
    balance::hash::hash,
    mesh::{
        request::{Peer, RequestHead},
        traffic_policy::HashKey,
    },
};

/// The hash of the first key that the request has.
pub(super) fn hash_of(keys: &[HashKey], head: &impl RequestHead, peer: &Peer) -> Option<u64> {
    keys.iter().find_map(|key| match key {
        HashKey::Header(name) => head.header(name).map(|value| hash(value.as_bytes())),
        HashKey::Cookie(name) => {
            let cookies = head.header("cookie")?;
            // Several fields were joined with commas, which no value has.
            let pairs = cookies.split([';', ',']).filter_map(|pair| pair.trim().split_once('='));
            let mut values = pairs.filter(|(named, _)| named == name).map(|(_, value)| value);
            values.next().map(|value| hash(value.as_bytes()))
        }
        HashKey::QueryParameter(name) => {
            let pairs = head.query()?.split('&').filter_map(|pair| pair.split_once('='));
            let mut values = pairs.filter(|(named, _)| named == name).map(|(_, value)| value);
            values.next().map(|value| hash(value.as_bytes()))
        }
        HashKey::SourceAddress => {
            Some(hash(peer.address.ip().to_canonical().to_string().as_bytes()))
        }
    })
}

#[cfg(test)]
mod tests;

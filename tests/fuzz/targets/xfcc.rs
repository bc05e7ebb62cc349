//! The field `x-forwarded-client-cert`: what is read is written as the same, and nothing that is in
//! a value becomes an element or a key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waypoint_user::hbone::xfcc::{self, Element};

fuzz_target!(|text: &str| {
    if let Some(elements) = xfcc::parse(text) {
        let said: Vec<_> =
            elements.into_iter().filter(|element| *element != Element::default()).collect();
        let written: Vec<_> = said.iter().map(ToString::to_string).collect();
        assert_eq!(xfcc::parse(&written.join(",")), Some(said));
    }
    let by = vec!["spiffe://cluster.local/ns/default/sa/waypoint".to_owned()];
    let uri = if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    let element = Element { by, uri, ..Element::default() };
    if text.len() < 1024 {
        assert_eq!(xfcc::parse(&element.to_string()), Some(vec![element]));
    }
});

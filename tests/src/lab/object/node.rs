//! A Node.

use crate::lab::address::Addresses;

use super::{Manifest, Meta};

/// A Node with addresses of both families.
pub(in crate::lab) fn node(name: &str, addresses: Addresses) -> Manifest {
    let Addresses { v4, v6 } = addresses;
    let rest = format!(
        "\
status:
  addresses:
  - type: InternalIP
    address: {v4}
  - type: InternalIP
    address: '{v6}'
  - type: Hostname
    address: {name}
"
    );
    Manifest { kind: "Node", version: "v1", meta: Meta::new("", name), rest }
}

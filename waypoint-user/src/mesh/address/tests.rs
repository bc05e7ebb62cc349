use super::*;

fn contains(block: &str, address: &str) -> bool {
    block.parse::<IpBlock>().unwrap().contains(address.parse().unwrap())
}

#[test]
fn a_block_holds_its_range_and_nothing_else() {
    let cases = [
        ("10.0.0.0/8", "10.255.255.255", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3/8", "10.0.0.0", true),
        ("10.0.0.1", "10.0.0.1", true),
        ("10.0.0.1", "10.0.0.2", false),
        ("0.0.0.0/0", "1.2.3.4", true),
        ("0.0.0.0/0", "::1", false),
        ("fd00::/8", "fd12::1", true),
        ("fd00::/8", "fe80::1", false),
        ("::/0", "10.0.0.1", false),
        ("fd00::1", "fd00::1", true),
    ];
    for (block, address, expected) in cases {
        assert_eq!(contains(block, address), expected, "{address} in {block}");
    }
}

#[test]
fn a_mapped_address_counts_as_what_it_maps() {
    assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert!(!contains("::/0", "::ffff:10.1.2.3"));
}

#[test]
fn what_is_neither_address_nor_range_is_refused_by_name() {
    for text in ["", "10.0.0", "10.0.0.0/33", "a", "10.0.0.0/", "fd00::/129", "10.0.0.1:80"] {
        let error = text.parse::<IpBlock>().unwrap_err();
        assert_eq!(error, InvalidBlock(text.to_owned()));
        assert_eq!(
            error.to_string(),
            format!("{text:?} is neither an IP address nor a CIDR range")
        );
    }
}

#[test]
fn a_block_prints_as_a_range() {
    assert_eq!("10.0.0.1".parse::<IpBlock>().unwrap().to_string(), "10.0.0.1/32");
    assert_eq!("fd00::/8".parse::<IpBlock>().unwrap().to_string(), "fd00::/8");
}

use super::*;

#[test]
fn a_text_without_certificates_is_refused() {
    assert_eq!(parse_pem(b"nothing"), Err(Malformed::NoCertificate));
}

#[test]
fn half_life_is_the_middle() {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let validity = Validity { not_before: at(100), not_after: at(200) };
    assert_eq!(validity.half_life(), at(150));
    assert!(validity.holds(at(100)) && validity.holds(at(199)));
    assert!(!validity.holds(at(99)) && !validity.holds(at(200)));
}

#[test]
fn pem_is_read_as_it_was_written() {
    for length in 0..200_u8 {
        let der = CertificateDer::from((0..length).collect::<Vec<u8>>());
        let text = to_pem(&der);
        assert!(text.ends_with("-----\n"));
        assert_eq!(parse_pem(text.as_bytes()).unwrap(), [der], "{text}");
    }
}

use super::*;

fn settings(address: &str) -> Settings {
    Settings::new(address.to_owned(), PathBuf::from("root"), PathBuf::from("token"))
}

#[test]
fn addresses_have_a_host_and_a_port() {
    for good in ["ca:15012", "10.0.0.1:15012", "[fd00::1]:15012", "istiod.istio-system.svc:15012"] {
        assert!(Client::new(settings(good)).is_ok(), "{good}");
    }
    for bad in ["ca", ":15012", "ca:", "ca:70000", ""] {
        assert!(matches!(Client::new(settings(bad)), Err(Error::Address(_))), "{bad}");
    }
    let named = Settings { name: Some("not a name".to_owned()), ..settings("ca:15012") };
    assert!(matches!(Client::new(named), Err(Error::Name(_))));
}

fn pem(bytes: u8) -> String {
    certificate::to_pem(&vec![bytes].into())
}

#[test]
fn chains_are_taken_apart_in_each_form_that_authorities_send() {
    let read = |chain: &[String]| read(&CertificateResponse { cert_chain: chain.to_vec() });
    let ours = read(&[pem(1), pem(2), pem(3) + &pem(4)]).unwrap();
    assert_eq!((ours.leaf.to_vec(), ours.intermediates.len(), ours.roots.len()), (vec![1], 1, 2));
    let self_signed = read(&[pem(1), pem(2)]).unwrap();
    assert!(self_signed.intermediates.is_empty());
    let plugged_in = read(&[pem(1) + &pem(2), pem(3)]).unwrap();
    assert_eq!((plugged_in.leaf.to_vec(), plugged_in.intermediates.len()), (vec![1], 1));
    for broken in [vec![], vec![pem(1)], vec![pem(1), String::new()], vec!["x".to_owned(), pem(2)]]
    {
        assert!(matches!(read(&broken), Err(Refusal::Invalid(_))), "{broken:?}");
    }
}

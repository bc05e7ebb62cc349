use super::*;
use crate::identity::{ca::directory::token_key, tests::Scratch};

const HOUR: Duration = Duration::from_hours(1);

fn key(scratch: &Scratch) -> TokenKey {
    token_key(scratch.path(), "cluster.local").unwrap()
}

#[test]
fn a_token_names_its_bearer_also_after_a_restart() {
    let scratch = Scratch::new("token-restart");
    let node = Caller::Node("node-1".to_owned());
    let web = Caller::Workload(SpiffeId::new("cluster.local", "shop", "web"));
    for caller in [node, web] {
        let token = key(&scratch).sign(&caller, HOUR).unwrap();
        assert_eq!(key(&scratch).check(&token), Ok(caller));
    }
}

#[test]
fn tokens_of_another_key_and_changed_ones_are_refused() {
    let (ours, theirs) = (Scratch::new("token-ours"), Scratch::new("token-theirs"));
    let caller = Caller::Node("node-1".to_owned());
    let token = key(&theirs).sign(&caller, HOUR).unwrap();
    assert!(key(&ours).check(&token).unwrap_err().contains("InvalidSignature"));
    let good = key(&ours).sign(&caller, HOUR).unwrap();
    let other = key(&ours).sign(&Caller::Node("node-2".to_owned()), HOUR).unwrap();
    let (head, _, signature) = parts(&good);
    let (_, body, _) = parts(&other);
    assert!(key(&ours).check(&format!("{head}.{body}.{signature}")).is_err());
    assert!(key(&ours).check("").is_err());
}

fn parts(token: &str) -> (&str, &str, &str) {
    let mut parts = token.split('.');
    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
}

/// A token with other claims than ours, by our own key.
fn signed(key: &TokenKey, claims: &Claims) -> String {
    jsonwebtoken::encode(&Header::new(Algorithm::ES256), claims, &key.sign).unwrap()
}

fn claims() -> Claims {
    let now = get_current_timestamp();
    Claims {
        iss: ISSUER.to_owned(),
        sub: "system:node:node-1".to_owned(),
        aud: vec![AUDIENCE.to_owned()],
        iat: now,
        nbf: now,
        exp: now + 3600,
    }
}

#[test]
fn a_token_that_ended_or_is_for_others_is_refused() {
    let scratch = Scratch::new("token-claims");
    let key = key(&scratch);
    assert!(key.check(&signed(&key, &claims())).is_ok());
    let ended = Claims { exp: get_current_timestamp() - 3600, ..claims() };
    let early = Claims { nbf: get_current_timestamp() + 3600, ..claims() };
    let other_audience = Claims { aud: vec!["vault".to_owned()], ..claims() };
    let other_issuer = Claims { iss: "somebody".to_owned(), ..claims() };
    for wrong in [ended, early, other_audience, other_issuer] {
        assert!(key.check(&signed(&key, &wrong)).is_err());
    }
    for subject in
        ["", "node-1", "system:node:", "system:serviceaccount:shop", "system:serviceaccount:a/b:c"]
    {
        let wrong = Claims { sub: subject.to_owned(), ..claims() };
        assert!(key.check(&signed(&key, &wrong)).is_err(), "{subject:?}");
    }
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let scratch = Scratch::new("token-none");
    let token = key(&scratch).sign(&Caller::Node("node-1".to_owned()), HOUR).unwrap();
    let (_, body, _) = parts(&token);
    // {"alg":"none"}
    assert!(key(&scratch).check(&format!("eyJhbGciOiJub25lIn0.{body}.")).is_err());
}

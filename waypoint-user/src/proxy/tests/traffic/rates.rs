//! Rate limits, and what is told of them.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_a_rate_are_refused_and_told_when_to_come() {
    let backends = named(["a"]).await;
    let lab = lab(&backends, |policy| {
        let key = RateLimitKey::Header("x-user".to_owned());
        let limit =
            RateLimit { requests: 2, per: Duration::from_mins(10), burst: 2, key, headers: false };
        policy.requests.rate_limits = vec![limit];
    });
    let of = |user: &str| GET.replace("connection", &format!("x-user: {user}\r\nconnection"));
    for _ in 0..2 {
        assert_eq!(who(&lab.ask(&of("ann")).await), "a");
    }
    let refused = lab.ask(&of("ann")).await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.ends_with("\r\n\r\nlocal_rate_limited"), "{refused}");
    for field in ["x-ratelimit-limit: 2", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 300"] {
        assert!(refused.contains(&format!("\r\n{field}\r\n")), "{refused}");
    }
    let line = lab.line(3).await;
    assert_eq!((&line["response_flags"], &line["blame"]), (&"RL".into(), &"client".into()));
    assert_eq!(who(&lab.ask(&of("bob")).await), "a");
    assert_eq!(who(&lab.ask(GET).await), "a");
    // What is no text is a value all the same.
    let answers = [lab.ask(&of("\u{e9}")).await, lab.ask(&of("\u{e9}")).await];
    assert_eq!(answers.map(|answer| who(&answer).to_owned()), ["a", "a"]);
    assert!(lab.ask(&of("\u{e9}")).await.starts_with("HTTP/1.1 429 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_say_what_is_left_of_a_limit_where_the_policy_says_so() {
    let backends = named(["a"]).await;
    let lab = lab(&backends, |policy| {
        let limit = |requests, headers| {
            let (key, per) = (RateLimitKey::Service, Duration::from_mins(10));
            RateLimit { requests, per, burst: requests, key, headers }
        };
        // The least is left of the first, which is not told of.
        policy.requests.rate_limits = vec![limit(5, false), limit(100, true), limit(10, true)];
    });
    for left in ["9", "8"] {
        let answer = lab.ask(GET).await;
        assert_eq!(who(&answer), "a");
        for field in ["limit: 10", &format!("remaining: {left}")] {
            assert!(answer.contains(&format!("\r\nx-ratelimit-{field}\r\n")), "{answer}");
        }
        assert_eq!(answer.matches("x-ratelimit-").count(), 3, "{answer}");
    }
}

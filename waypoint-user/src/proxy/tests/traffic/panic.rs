//! What happens when most endpoints are ejected.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn all_endpoints_get_requests_when_most_are_ejected_and_the_policy_says_so() {
    // Of three one is left, which is less than a half and more than a fifth.
    for (threshold, is_panic) in [(0, false), (20, false), (50, true)] {
        let ((one, asked), (other, asked_too)) = (scripted(&[500]).await, scripted(&[500]).await);
        let (good, asked_good) = scripted(&[200]).await;
        let lab = lab(&[one, other, good], |policy| {
            policy.endpoints.load_balancing.algorithm = Algorithm::RoundRobin;
            policy.endpoints.load_balancing.panic_threshold = threshold;
            policy.endpoints.outlier_detection = Some(OutlierDetection {
                consecutive_5xx: 1,
                consecutive_gateway_errors: 0,
                success_rate: None,
                interval: Duration::from_hours(1),
                base_ejection_time: Duration::from_hours(1),
                max_ejection_time: Duration::from_hours(1),
                max_ejection_percent: 100,
            });
        });
        let counts = || [&asked, &asked_too, &asked_good].map(|one| one.load(Ordering::SeqCst));
        for _ in 0..3 {
            lab.ask(GET).await;
        }
        assert_eq!(counts(), [1, 1, 1], "{threshold}");
        for _ in 0..9 {
            let answer = lab.ask(GET).await;
            assert!(is_panic || answer.starts_with("HTTP/1.1 200 "), "{threshold}: {answer}");
        }
        let expected = if is_panic { [4, 4, 4] } else { [1, 1, 10] };
        assert_eq!(counts(), expected, "{threshold}");
    }
}

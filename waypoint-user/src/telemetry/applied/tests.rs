use super::*;

async fn text(applied: &Applied, after: Option<&str>) -> String {
    applied.ask(after).unwrap().text().await.to_string()
}

#[tokio::test]
async fn who_knows_the_version_waits_for_the_next() {
    let (mut publisher, applied) = channel();
    publisher.show(str::to_owned);
    let first = text(&applied, None).await;
    assert_eq!(text(&applied, Some("of an earlier process")).await, first);
    let waiting = applied.ask(Some(&first)).unwrap();
    let waiting = async { waiting.text().await };
    let publish = async { publisher.show(str::to_owned) };
    let (second, ()) = tokio::join!(waiting, publish);
    assert_ne!(*second, *first);
    assert_eq!(text(&applied, Some(&first)).await, *second);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever() {
    let (mut publisher, applied) = channel();
    publisher.show(str::to_owned);
    let first = text(&applied, None).await;
    assert_eq!(text(&applied, Some(&first)).await, first);
}

#[tokio::test]
async fn only_so_many_wait() {
    let (mut publisher, applied) = channel();
    let waiting: Vec<_> = (0..WAITERS_MAX).map(|_| applied.ask(None).unwrap()).collect();
    assert!(applied.ask(None).is_none());
    publisher.show(str::to_owned);
    assert!(applied.ask(None).is_some(), "who need not wait takes no place");
    drop(waiting);
    assert!(applied.ask(Some(&text(&applied, None).await)).is_some());
}

use super::*;

fn tale(note: &str) -> Tale {
    let about = ObjectReference { name: Some("waypoint".to_owned()), ..ObjectReference::default() };
    Tale { about, mood: Mood::Warning, reason: "Refused".to_owned(), note: note.to_owned() }
}

fn events() -> (Events, mpsc::Receiver<Tale>) {
    let (queue, waiting) = mpsc::channel(2);
    (Events { queue, told: Arc::default(), limit: Limit::default() }, waiting)
}

#[tokio::test(start_paused = true)]
async fn the_same_is_told_once_an_hour() {
    let (events, mut waiting) = events();
    events.tell(tale("a"));
    events.tell(tale("a"));
    assert_eq!(waiting.recv().await, Some(tale("a")));
    assert!(waiting.try_recv().is_err());
    tokio::time::advance(KEPT).await;
    events.tell(tale("a"));
    assert_eq!(waiting.recv().await, Some(tale("a")));
}

#[tokio::test]
async fn what_finds_no_room_may_be_told_later() {
    let (events, mut waiting) = events();
    for note in ["a", "b", "c"] {
        events.tell(tale(note));
    }
    assert_eq!(waiting.recv().await, Some(tale("a")));
    events.tell(tale("c"));
    assert_eq!(waiting.recv().await, Some(tale("b")));
    assert_eq!(waiting.recv().await, Some(tale("c")));
}

#[test]
fn a_name_says_what_is_said() {
    assert_eq!(name(&tale("a")), name(&tale("a")));
    assert_ne!(name(&tale("a")), name(&tale("b")));
    assert!(name(&tale("a")).starts_with("waypoint."));
}

#[test]
fn texts_are_cut_between_characters() {
    assert_eq!(cut("häß", 2), "h");
    assert_eq!(cut("häß", 3), "hä");
    assert_eq!(cut("", 3), "");
}

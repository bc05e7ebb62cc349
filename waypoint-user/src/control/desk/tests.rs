use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;

use crate::{
    control::kind::{CONFIG_MAP, Target},
    mesh::object::ObjectName,
};

use super::*;

/// A writer that remembers what it was asked, and fails for targets of these names.
#[derive(Clone, Default)]
struct Pen {
    asked: Arc<Mutex<Vec<(String, Instant)>>>,
    fails: Vec<&'static str>,
    hangs: Vec<&'static str>,
}

impl Pen {
    fn times(&self, name: &str) -> Vec<Instant> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|(one, _)| one == name).map(|(_, at)| *at).collect()
    }
}

impl Write for Pen {
    fn write(&self, target: &Target, _: Arc<Change>) -> BoxFuture<'static, Result<Outcome, Error>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push((target.name.name.clone(), Instant::now()));
        let fails = self.fails.contains(&target.name.name.as_str());
        let hangs = self.hangs.contains(&target.name.name.as_str());
        let target = target.clone();
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            if fails { Err(Error::Silent { target }) } else { Ok(Outcome::Written) }
        }
        .boxed()
    }
}

fn wanted(name: &str, value: u32) -> Wanted {
    let target = Target::whole(CONFIG_MAP, ObjectName::new("shop", name));
    Wanted::new(target, Change::Create(json!({ "data": { "value": value.to_string() } })))
}

/// What settles within a minute.
async fn settled(desk: &mut Desk<Pen>) -> Option<String> {
    let next = tokio::time::timeout(Duration::from_mins(1), desk.next()).await;
    next.ok().map(|settled| settled.target.name.name)
}

#[tokio::test(start_paused = true)]
async fn a_change_is_made_once() {
    let pen = Pen::default();
    let mut desk = Desk::new(pen.clone(), 4);
    desk.offer([wanted("a", 1)]);
    assert_eq!(settled(&mut desk).await.as_deref(), Some("a"));
    assert_eq!(settled(&mut desk).await, None);
    assert_eq!(pen.times("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_ever_more_slowly_and_delays_nothing_else() {
    let pen = Pen { fails: vec!["bad"], ..Pen::default() };
    let mut desk = Desk::new(pen.clone(), 1);
    desk.offer([wanted("bad", 1), wanted("good", 1)]);
    let begin = Instant::now();
    for _ in 0..6 {
        desk.next().await;
    }
    assert_eq!(pen.times("good"), [begin]);
    let seconds = pen.times("bad").iter().map(|at| (*at - begin).as_secs()).collect::<Vec<_>>();
    assert_eq!(seconds, [0, 1, 3, 7, 15]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_wish_is_tried_at_once_even_after_failures() {
    let pen = Pen { fails: vec!["bad"], ..Pen::default() };
    let mut desk = Desk::new(pen.clone(), 1);
    desk.offer([wanted("bad", 1)]);
    for _ in 0..4 {
        desk.next().await;
    }
    desk.offer([wanted("bad", 2)]);
    let begin = Instant::now();
    desk.next().await;
    assert_eq!(pen.times("bad").last(), Some(&begin));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_undoes_is_not_fought_over() {
    let pen = Pen::default();
    let mut desk = Desk::new(pen.clone(), 1);
    let begin = Instant::now();
    for _ in 0..8 {
        desk.offer([wanted("a", 1)]);
        desk.next().await;
        // It is so, and then somebody undoes it.
        desk.offer([]);
    }
    let seconds = pen.times("a").iter().map(|at| (*at - begin).as_secs()).collect::<Vec<_>>();
    assert_eq!(seconds, [0, 1, 3, 7, 15, 31, 63, 127]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_wanted_is_not_tried_again() {
    let pen = Pen { fails: vec!["bad"], ..Pen::default() };
    let mut desk = Desk::new(pen.clone(), 1);
    desk.offer([wanted("bad", 1)]);
    desk.next().await;
    desk.offer([]);
    assert_eq!(settled(&mut desk).await, None);
    assert_eq!(pen.times("bad").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn so_many_writes_are_under_way_and_one_of_each_target() {
    let pen = Pen { hangs: vec!["a", "b", "c"], ..Pen::default() };
    let mut desk = Desk::new(pen.clone(), 2);
    desk.offer([wanted("a", 1), wanted("b", 1), wanted("c", 1)]);
    assert_eq!(settled(&mut desk).await, None);
    desk.offer([wanted("a", 2), wanted("b", 1), wanted("c", 1)]);
    assert_eq!(settled(&mut desk).await, None);
    let counts = ["a", "b", "c"].map(|name| pen.times(name).len());
    assert_eq!(counts, [1, 1, 0]);
}

//! An HTTPRoute decides who answers.

use anyhow::Result;
use serde_json::Value;

use crate::demo::ledger::Ledger;
use crate::demo::narrator;
use crate::demo::scene::{REQUESTS, Scene};

/// Nine in ten to version 1, one in ten to version 2, and jason always to version 2.
pub(super) fn reviews_are_split(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "Split reviews 90/10, and send jason to version 2",
        "reviews has three versions behind one Service. An HTTPRoute whose parent is that Service \
         takes effect on the next request, also on connections that are open.",
    );
    scene.apply("reviews-versions.yaml", VERSIONS)?;
    scene.apply("reviews-route.yaml", ROUTE)?;
    let everybody = Shares::count(&scene.ask_often("web", "reviews", &[])?);
    narrator::came_back(&everybody.to_string());
    let jason = Shares::count(&scene.ask_often("web", "reviews", &["-H", "end-user: jason"])?);
    narrator::came_back(&jason.to_string());
    let expected = format!("v1 about {}, v2 about {}, v3 0", REQUESTS * 9 / 10, REQUESTS / 10);
    let fair = everybody.v1 + everybody.v2 == REQUESTS && LIKELY.contains(&everybody.v2);
    ledger.judged("route: everybody's reviews", &expected, &everybody.to_string(), fair);
    let all_v2 = Shares { v2: REQUESTS, ..Shares::default() };
    ledger.same("route: jason's reviews", &all_v2.to_string(), &jason.to_string());
    Ok(())
}

/// How many answers each version gave.
#[derive(Debug, Default)]
pub(in crate::demo) struct Shares {
    pub(in crate::demo) v1: usize,
    pub(in crate::demo) v2: usize,
    pub(in crate::demo) v3: usize,
}

impl Shares {
    /// Counts by what each server called itself.
    pub(in crate::demo) fn count(bodies: &[String]) -> Self {
        let mut shares = Self::default();
        for body in bodies {
            let account: Value = serde_json::from_str(body).unwrap_or_default();
            match account.get("name").and_then(Value::as_str) {
                Some("reviews-v1") => shares.v1 += 1,
                Some("reviews-v2") => shares.v2 += 1,
                Some("reviews-v3") => shares.v3 += 1,
                _ => {}
            }
        }
        shares
    }
}

impl std::fmt::Display for Shares {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "v1 {}, v2 {}, v3 {}", self.v1, self.v2, self.v3)
    }
}

const VERSIONS: &str = include_str!("../../../../deploy/examples/shop/reviews-versions.yaml");
const ROUTE: &str = include_str!("../../../../deploy/examples/shop/reviews-route.yaml");
/// What a fair ten per cent of 200 yields but for one run in a hundred thousand.
pub(in crate::demo) const LIKELY: std::ops::RangeInclusive<usize> = 4..=42;

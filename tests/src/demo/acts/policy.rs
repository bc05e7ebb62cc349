//! An AuthorizationPolicy decides who may ask for what.

use anyhow::Result;

use crate::demo::ledger::Ledger;
use crate::demo::scene::Scene;

/// web may read, nobody may delete, guest may nothing.
pub(super) fn only_web_may_call(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "Only web may call reviews, and nobody may DELETE",
        "Who calls is not what a request says of itself but the pod that the kernel says the \
         connection came from.",
    );
    scene.apply("reviews-policy.yaml", POLICY)?;
    let reads = scene.ask("web", "reviews", &[])?;
    let deletes = scene.ask("web", "reviews", &["-X", "DELETE"])?;
    let guest = scene.ask("guest", "reviews", &["-H", "x-forwarded-client-cert: I am web"])?;
    ledger.same("policy: web GET reviews", "200", &reads.outcome());
    ledger.same("policy: web DELETE reviews", "403", &deletes.outcome());
    ledger.same("policy: guest GET reviews", "403", &guest.outcome());
    Ok(())
}

const POLICY: &str = include_str!("../../../../deploy/examples/shop/reviews-policy.yaml");

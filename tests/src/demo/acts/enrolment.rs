//! Traffic is left alone, until a label says otherwise.

use anyhow::Result;

use crate::demo::answer::{STRAIGHT, Seen, THROUGH};
use crate::demo::ledger::Ledger;
use crate::demo::scene::Scene;
use crate::lab::Family;

/// Without labels nothing is captured.
pub(super) fn nothing_is_labelled(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "No label",
        "The namespace has a waypoint, but no label enrols it. No program is attached to the pods, \
         and a connection takes the way it always took.",
    );
    let answer = scene.ask("web", "catalog", &[])?;
    let captured = scene.captured()?;
    let seen = Seen::words(answer.seen(scene.address("web")?));
    ledger.same("no label: web -> catalog", STRAIGHT, seen);
    ledger.same("no label: connections captured", "0", &captured.to_string());
    Ok(())
}

/// Labels are enough; no pod is restarted.
pub(super) fn the_namespace_is_labelled(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "Label the namespace",
        "Two labels: one enrols the pods, one says which waypoint stands before the services. \
         waypointd sees the file change, attaches its program to the pods' links and writes the \
         services' addresses into the kernel's map. Nothing is restarted.",
    );
    scene.label_namespace(&[
        ("istio.io/dataplane-mode", "ambient"),
        ("istio.io/use-waypoint", "waypoint"),
    ])?;
    let before = scene.lab.kernel_counter("captured")?;
    let answer = scene.ask("web", "catalog", &[])?;
    let captured = scene.captured()? - before;
    scene.first_line()?;
    let seen = Seen::words(answer.seen(scene.address("web")?));
    ledger.same("labelled: web -> catalog", THROUGH, seen);
    ledger.same("labelled: connections captured", "1", &captured.to_string());
    Ok(())
}

/// The same in the other address family.
pub(super) fn ipv6_does_the_same(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "IPv6",
        "The same services by their IPv6 addresses: same path, same routes, same policy.",
    );
    scene.lab.speak(Family::V6);
    let catalog = scene.ask("web", "catalog", &[])?;
    let jason = scene.ask("web", "reviews", &["-H", "end-user: jason"])?;
    let guest = scene.ask("guest", "reviews", &[])?;
    let seen = Seen::words(catalog.seen(scene.address("web")?));
    scene.lab.speak(Family::V4);
    ledger.same("IPv6: web -> catalog", THROUGH, seen);
    let server = jason.server().unwrap_or_default();
    ledger.same("IPv6: jason's reviews come from", "reviews-v2", &server);
    ledger.same("IPv6: guest -> reviews", "403", &guest.outcome());
    Ok(())
}

//! The acts, in order; each tells why, does something, and claims what must be seen.

use anyhow::Result;

use super::{
    meeting::uri,
    scene::{SECRET, Scene, XFCC},
};
use crate::{
    demo::{ledger::Ledger, narrator},
    lab::{Family, capture::HBONE_PORT},
};

/// One act.
pub(super) type Act = fn(&mut Scene, &mut Ledger) -> Result<()>;

/// All of them.
pub(super) const ALL: &[Act] = &[
    everybody_is_who_they_prove_to_be,
    the_wire_tells_nothing,
    who_forges_is_corrected,
    the_destination_decides_too,
    plaintext_is_refused,
    ipv6_does_the_same,
    everybody_tells_the_same,
];

/// From pod to waypoint to pod, each hop as somebody.
fn everybody_is_who_they_prove_to_be(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "Across the nodes",
        "web and guest are on n1, the waypoint and reviews on n2. The agent of n1 takes over the \
         connection and dials the waypoint as the pod that it came from; the waypoint dials \
         reviews as itself and tells it for whom.",
    );
    for client in ["web", "guest"] {
        let visit = scene.ask(client, "reviews")?;
        let identity = scene.lab.identity_of(client)?;
        let told = visit.reply.server_got(XFCC)?.unwrap_or_default();
        let saw = visit.reply.server_saw_peer()?.to_string();
        let waypoint = scene.lab.pod_address("waypoint")?.ip().to_string();
        ledger.same(&format!("{client} -> reviews: told to be"), &identity, &uri(&told));
        ledger.same(&format!("{client} -> reviews: dialled by"), &waypoint, &saw);
    }
    scene.ask("web", "catalog")?;
    Ok(())
}

/// A capture of the link.
fn the_wire_tells_nothing(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "What the wire between the nodes shows",
        "web asks reviews through the mesh, then stranger, which is not enrolled, asks the same \
         pod by its address. Both send a secret.",
    );
    let capture = scene.listen()?;
    scene.ask_with("web", "reviews", &[(SECRET, "hidden-in-the-mesh")])?;
    scene.ask_pod("stranger", "reviews", "told-to-everybody")??;
    let frames = capture.finish_after(|frames| frames.hold(b"told-to-everybody"))?;
    let seen = |text: &str| if frames.hold(text.as_bytes()) { "seen" } else { "not seen" };
    ledger.same("wire: what stranger sent", "seen", seen("told-to-everybody"));
    ledger.same("wire: what web sent", "not seen", seen("hidden-in-the-mesh"));
    let hbone = if frames.use_port(HBONE_PORT) { "seen" } else { "not seen" };
    ledger.same("wire: connections to port 15008", "seen", hbone);
    Ok(())
}

/// Headers prove nothing.
fn who_forges_is_corrected(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act("A forged identity", "guest claims in a header to be web.");
    let web = scene.lab.identity_of("web")?;
    let forged = format!("By=somebody;URI={web}");
    let visit = scene.ask_with("guest", "reviews", &[(XFCC, &forged)])?;
    let told = visit.reply.server_got(XFCC)?.unwrap_or_default();
    let guest = scene.lab.identity_of("guest")?;
    ledger.same("guest forges web: reviews is told", &guest, &uri(&told));
    Ok(())
}

/// A policy where the server is.
fn the_destination_decides_too(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "The destination knows the client behind the waypoint",
        "This policy is enforced by the agent of n2, at the pod, on the identity that the \
         waypoint vouches for.",
    );
    scene.apply("guard.yaml", ONLY_WEB)?;
    let web = scene.ask("web", "reviews")?.reply.status;
    let guest = scene.ask("guest", "reviews")?.reply.status;
    scene.withdraw("guard.yaml")?;
    ledger.same("only web: web -> reviews", "200", &web.to_string());
    ledger.same("only web: guest -> reviews", "503", &guest.to_string());
    Ok(())
}

/// PeerAuthentication.
fn plaintext_is_refused(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act("Plaintext is refused", "From now on pods of the shop take mutual TLS only.");
    scene.apply("strict.yaml", STRICT)?;
    let stranger = scene.ask_pod("stranger", "reviews", "told-to-everybody")?;
    let web = scene.ask("web", "reviews")?.reply.status;
    let outcome = if stranger.is_err() { "refused" } else { "answered" };
    ledger.same("strict: stranger -> reviews", "refused", outcome);
    ledger.same("strict: web -> reviews", "200", &web.to_string());
    Ok(())
}

/// The same in the other address family.
fn ipv6_does_the_same(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act("IPv6", "The same services by their IPv6 addresses.");
    scene.lab.speak(Family::V6);
    let visit = scene.ask("web", "ratings")?;
    let told = visit.reply.server_got(XFCC)?.unwrap_or_default();
    scene.lab.speak(Family::V4);
    ledger.same("IPv6: web -> ratings: told to be", &scene.lab.identity_of("web")?, &uri(&told));
    Ok(())
}

/// The metrics of all processes together.
fn everybody_tells_the_same(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "Who talked to whom",
        "What agents and waypoint counted, with the identities that were proved in TLS.",
    );
    let meetings = scene.meetings()?;
    narrator::came_back(&meetings.table());
    for (source, destination) in [("web", "waypoint"), ("waypoint", "reviews")] {
        let identity = |account| format!("ns/shop/sa/{account}");
        let met = meetings.has(&identity(source), &identity(destination), "mutual_tls");
        let claim = format!("metrics: {source} -> {destination}");
        ledger.same(&claim, "mutual_tls", if met { "mutual_tls" } else { "not so counted" });
    }
    Ok(())
}

const ONLY_WEB: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-web, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  action: ALLOW
  rules:
  - when:
    - key: waypoint.dev/client.principal
      values: [cluster.local/ns/shop/sa/web]
";

const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec:
  mtls: {mode: STRICT}
";

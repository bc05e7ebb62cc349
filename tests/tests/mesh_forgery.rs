//! What is not proved by a certificate is not believed: a process in a pod speaks HBONE itself,
//! with certificates that are good, and lies in everything else.

use std::fs;

use anyhow::{Context, Result};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::{net::TcpStream, runtime::Builder};
use waypoint_tests::{
    lab::{
        Lab, LabBuilder, Object, Pod, Service,
        object::SERVER_PORT,
        wait::{self, SOON},
    },
    story,
    story::two_nodes,
    wire::{
        Authority, Credentials, tls,
        tunnel::{Connection, PORT},
    },
};

/// With a second client, in which the liar lives.
fn with_a_liar(lab: LabBuilder) -> LabBuilder {
    two_nodes(lab).pod(Pod::new("shop", "mobile"))
}

/// Who speaks HBONE.
#[derive(Clone, Copy)]
struct Knock<'a> {
    /// The pod in which it runs.
    from: &'a str,
    /// Whose certificate it has.
    account: &'a str,
    /// The pod whose port 15008 it dials.
    pod: &'a str,
    /// What it claims the original client to be.
    claim: Option<&'a str>,
}

fn identity(account: &str) -> String {
    format!("spiffe://cluster.local/ns/shop/sa/{account}")
}

impl Knock<'_> {
    /// How a CONNECT to an authority is answered.
    fn asks(self, lab: &Lab, authority: &str) -> Result<StatusCode> {
        let impostor = lab.authority()?.impostor()?;
        self.asks_with(lab, authority, &impostor.issue(&identity(self.account))?)
    }

    fn asks_with(self, lab: &Lab, authority: &str, proof: &Credentials) -> Result<StatusCode> {
        let config = tls::client(proof, tls::H2, &lab.identity_of(self.pod)?)?;
        let mut headers = HeaderMap::new();
        if let Some(claim) = self.claim {
            headers.insert("waypoint-client", HeaderValue::from_str(&identity(claim))?);
        }
        let mut address = lab.pod_address(self.pod)?;
        address.set_port(PORT);
        lab.from(self.from).netns()?.within(|| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let tcp = TcpStream::connect(address).await.context("connect")?;
                let mut connection = Connection::dial(tcp, config).await?;
                Ok(connection.ask(authority, headers).await?.0)
            })
        })
    }
}

const SERVER: Knock<'static> =
    Knock { from: "mobile", account: "mobile", pod: "reviews-v1", claim: None };
const WAYPOINT: Knock<'static> = Knock { pod: "waypoint", ..SERVER };

story!(only_the_waypoint_is_believed_about_the_client_behind_it, |lab| {
    let lab = with_a_liar(lab).file("guard.yaml", ONLY_WEB).start()?;
    let own = lab.pod_address("reviews-v1")?.to_string();
    let claims_web = Knock { claim: Some("web"), ..SERVER };
    assert_eq!(claims_web.asks(&lab, &own)?, StatusCode::UNAUTHORIZED);
    assert_eq!(SERVER.asks(&lab, &own)?, StatusCode::UNAUTHORIZED);
    // The waypoint's certificate at the waypoint's address makes the difference.
    let stolen = Knock { account: "waypoint", ..claims_web };
    assert_eq!(stolen.asks(&lab, &own)?, StatusCode::UNAUTHORIZED);
    let waypoint = Knock { from: "waypoint", ..stolen };
    assert_eq!(waypoint.asks(&lab, &own)?, StatusCode::OK);
    let about_mobile = Knock { claim: Some("mobile"), ..waypoint };
    assert_eq!(about_mobile.asks(&lab, &own)?, StatusCode::UNAUTHORIZED);
    Ok(())
});

story!(a_waypoint_is_not_told_who_the_client_is, |lab| {
    let lab = with_a_liar(lab).start()?;
    let vip = lab.service_address("reviews")?.to_string();
    let status = Knock { claim: Some("web"), ..WAYPOINT }.asks(&lab, &vip)?;
    assert_eq!(status, StatusCode::OK);
    let visit = lab.across(&lab.from("mobile").to("reviews"), "waypoint")?;
    assert_eq!(visit.logged("source_workload"), "shop/mobile");
    Ok(())
});

story!(a_connect_to_what_is_not_bound_is_a_400, |lab| {
    let lab = with_a_liar(lab)
        .pod(Pod::server("shop", "ratings-v1", "ratings").on_node("n2"))
        .service(Service::new("shop", "ratings").uses("none"))
        .start()?;
    let waypoint = lab.waypoint("waypoint")?;
    let bound = lab.service_address("reviews")?.to_string();
    assert_eq!(WAYPOINT.asks(&lab, &bound)?, StatusCode::OK);
    let unbound = [lab.service_address("ratings")?, lab.pod_address("ratings-v1")?];
    for address in unbound {
        assert_eq!(WAYPOINT.asks(&lab, &address.to_string())?, StatusCode::BAD_REQUEST);
    }
    wait::until_true("two refusals in the log", SOON, || {
        let log = waypoint.access_log()?;
        Ok(log.iter().filter(|line| line["response_flags"] == "NR").count() == unbound.len())
    })?;
    Ok(())
});

story!(a_pod_is_asked_for_itself_only, |lab| {
    let lab = with_a_liar(lab).start()?;
    let own = lab.pod_address("reviews-v1")?;
    assert_eq!(SERVER.asks(&lab, &own.to_string())?, StatusCode::OK);
    let mut other = lab.pod_address("waypoint")?;
    other.set_port(SERVER_PORT);
    assert_eq!(SERVER.asks(&lab, &other.to_string())?, StatusCode::BAD_REQUEST);
    assert_eq!(SERVER.asks(&lab, "nonsense")?, StatusCode::BAD_REQUEST);
    Ok(())
});

story!(a_certificate_of_another_authority_opens_nothing, |lab| {
    let lab = with_a_liar(lab).start()?;
    let own = lab.pod_address("reviews-v1")?.to_string();
    assert_eq!(SERVER.asks(&lab, &own)?, StatusCode::OK);
    // It knows whom to trust, but nobody trusts who signed for it.
    let foreign = Authority::new()?.issue(&identity("web"))?;
    let root = fs::read_to_string(lab.authority()?.root())?;
    let foreign = Credentials { root, ..foreign };
    for knock in [SERVER, WAYPOINT] {
        assert!(knock.asks_with(&lab, &own, &foreign).is_err());
    }
    Ok(())
});

const ONLY_WEB: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: guard, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  action: ALLOW
  rules:
  - when:
    - key: waypoint.dev/client.principal
      values: [cluster.local/ns/shop/sa/web]
";

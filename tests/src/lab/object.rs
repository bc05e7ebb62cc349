//! Kubernetes objects of a lab, written fluently and printed as YAML.
//!
//! Only the fields that Waypoint reads are there.

mod gateway;
mod node;
mod pod;

use std::{collections::BTreeMap, fmt};

use super::address::Addresses;

pub use gateway::Gateway;
pub(super) use node::node;
pub(super) use pod::Place;
pub use pod::{Pod, WaypointPod};

/// What every object has.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Its namespace; empty for a Namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What tells it from an earlier object of the same name, if that matters.
    pub uid: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Meta {
    fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }
}

/// An object that can be labelled.
pub trait Object: Sized {
    /// Its metadata.
    fn meta(&mut self) -> &mut Meta;

    /// With a label.
    #[must_use]
    fn label(mut self, key: &str, value: &str) -> Self {
        self.meta().labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With an annotation.
    #[must_use]
    fn annotation(mut self, key: &str, value: &str) -> Self {
        self.meta().annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Enrolled in the mesh.
    #[must_use]
    fn enrolled(self) -> Self {
        self.label(DATAPLANE_MODE, "ambient")
    }

    /// Left out of the mesh.
    #[must_use]
    fn opted_out(self) -> Self {
        self.label(DATAPLANE_MODE, "none")
    }

    /// Behind a waypoint of its own namespace.
    #[must_use]
    fn uses(self, waypoint: &str) -> Self {
        self.label(USE_WAYPOINT, waypoint)
    }

    /// Refused while no waypoint serves it.
    #[must_use]
    fn fails(self, mode: &str) -> Self {
        self.annotation(FAIL_MODE, mode)
    }
}

/// An object as a file: `kind`, `apiVersion`, metadata, and the rest as YAML lines.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(super) kind: &'static str,
    version: &'static str,
    pub(super) meta: Meta,
    rest: String,
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "apiVersion: {}\nkind: {}\nmetadata:", self.version, self.kind)?;
        writeln!(f, "  name: {}", self.meta.name)?;
        if !self.meta.namespace.is_empty() {
            writeln!(f, "  namespace: {}", self.meta.namespace)?;
        }
        if let Some(uid) = &self.meta.uid {
            writeln!(f, "  uid: {uid}")?;
        }
        let maps = [("labels", &self.meta.labels), ("annotations", &self.meta.annotations)];
        for (title, map) in maps.into_iter().filter(|(_, map)| !map.is_empty()) {
            writeln!(f, "  {title}:")?;
            for (key, value) in map {
                writeln!(f, "    {key}: {value:?}")?;
            }
        }
        f.write_str(&self.rest)
    }
}

/// A Namespace.
#[derive(Clone, Debug)]
pub struct Namespace(Meta);

impl Namespace {
    /// Without labels.
    pub fn new(name: &str) -> Self {
        Self(Meta::new("", name))
    }

    pub(super) fn manifest(self) -> Manifest {
        Manifest { kind: "Namespace", version: "v1", meta: self.0, rest: String::new() }
    }
}

impl Object for Namespace {
    fn meta(&mut self) -> &mut Meta {
        &mut self.0
    }
}

/// A Service with virtual addresses of both families.
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) meta: Meta,
    selector: BTreeMap<String, String>,
    pub(super) ports: Vec<(String, u16, u16)>,
    app_protocol: Option<String>,
    pub(super) headless: bool,
}

impl Service {
    /// In front of the pods labelled `app: NAME`, port 80 to [`SERVER_PORT`], declared as HTTP: on
    /// a busy machine a client may be slower than any patience for first bytes.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            meta: Meta::new(namespace, name),
            selector: BTreeMap::from([("app".to_owned(), name.to_owned())]),
            ports: Vec::new(),
            app_protocol: None,
            headless: false,
        }
    }

    /// In front of the pods of another app.
    #[must_use]
    pub fn app(self, app: &str) -> Self {
        self.select("app", app)
    }

    /// In front of pods with this label only.
    #[must_use]
    pub fn select(mut self, key: &str, value: &str) -> Self {
        self.selector.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With a named port instead of the usual one; the name may declare a protocol.
    #[must_use]
    pub fn port(mut self, name: &str, port: u16, target: u16) -> Self {
        self.ports.push((name.to_owned(), port, target));
        self
    }

    /// With an `appProtocol` at its ports.
    #[must_use]
    pub fn app_protocol(mut self, protocol: &str) -> Self {
        self.app_protocol = Some(protocol.to_owned());
        self
    }

    /// Without virtual addresses.
    #[must_use]
    pub fn headless(mut self) -> Self {
        self.headless = true;
        self
    }

    /// Whether it leads to a pod as that is now.
    pub(super) fn leads_to(&self, pod: &Pod) -> bool {
        let has = |(key, value): (&String, &String)| pod.meta.labels.get(key) == Some(value);
        pod.ready && pod.meta.namespace == self.meta.namespace && self.selector.iter().all(has)
    }

    pub(super) fn ports(&self) -> Vec<(String, u16, u16)> {
        let usual = || vec![("http".to_owned(), SERVICE_PORT, SERVER_PORT)];
        if self.ports.is_empty() { usual() } else { self.ports.clone() }
    }

    /// As a file.
    pub fn manifest(&self, addresses: Addresses) -> Manifest {
        let Addresses { v4, v6 } = addresses;
        let (first, all) = if self.headless {
            ("None".to_owned(), "None".to_owned())
        } else {
            (v4.to_string(), format!("{v4}, '{v6}'"))
        };
        let selected = self.selector.iter().map(|(key, value)| format!("{key}: {value:?}"));
        let selector = selected.collect::<Vec<_>>().join(", ");
        let head = format!(
            "\
spec:
  clusterIP: {first}
  clusterIPs: [{all}]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  selector: {{{selector}}}
  ports:
"
        );
        let protocol = self.app_protocol.as_ref();
        let protocol = protocol.map(|one| format!("    appProtocol: {one}\n")).unwrap_or_default();
        let ports = self.ports().into_iter().map(|(name, port, target)| {
            format!("  - name: {name}\n    port: {port}\n    targetPort: {target}\n{protocol}")
        });
        let rest = ports.fold(head, |all, port| all + &port);
        Manifest { kind: "Service", version: "v1", meta: self.meta.clone(), rest }
    }
}

impl Object for Service {
    fn meta(&mut self) -> &mut Meta {
        &mut self.meta
    }
}

/// The label that enrols.
pub const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";
/// The label that names a waypoint.
pub const USE_WAYPOINT: &str = "istio.io/use-waypoint";
/// The label that says where the named waypoint is.
pub const USE_WAYPOINT_NAMESPACE: &str = "istio.io/use-waypoint-namespace";
/// The label that says which traffic a waypoint takes.
pub const WAYPOINT_FOR: &str = "istio.io/waypoint-for";
/// The annotation of a Gateway that stands for a service account.
pub const FOR_SERVICE_ACCOUNT: &str = "istio.io/for-service-account";
/// The annotation that says what happens while no waypoint serves.
pub const FAIL_MODE: &str = "waypoint.dev/fail-mode";
/// The port that services usually have.
pub const SERVICE_PORT: u16 = 80;
/// The port on which servers usually listen.
pub const SERVER_PORT: u16 = 9080;
/// The annotation that says where a waypoint runs.
pub const PLACEMENT: &str = "waypoint.dev/placement";
/// The annotation that says whom a destination lets in.
pub const ADMISSION: &str = "waypoint.dev/admission";
/// The label that makes a pod an instance of a Gateway.
pub const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

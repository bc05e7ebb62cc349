//! What gateways at the mesh's edge do: they send to endpoints themselves.
//!
//! It decides nothing: their pods are captured or not like any other.

use crate::mesh::label::{GATEWAY_NAME, INGRESS_USE_WAYPOINT};

use super::{Case, Step, address::Dialled, label, of_service, of_workload};

/// Says it where the client is a pod of such a gateway and its destination has a waypoint.
pub(super) fn step(case: &Case<'_>) -> Option<Step> {
    let client = case.client;
    let gateway = client.labels.get(GATEWAY_NAME).filter(|_| client.instance_of.is_none())?;
    let Dialled::Service { service, .. } = &case.dialled else { return None };
    case.waypoint()?;
    let (pod, object) = (of_workload(client), of_service(service));
    let value = service.labels.get(INGRESS_USE_WAYPOINT).map(String::as_str);
    let of = format!("{pod} is of Gateway {gateway}, which sends to endpoints itself");
    let says = match value {
        None => format!("{of}; {object} does not ask it to use its waypoint"),
        Some(_) => {
            format!("{of}: label {INGRESS_USE_WAYPOINT} is not supported yet; it is ignored")
        }
    };
    let by_label = label(INGRESS_USE_WAYPOINT, value);
    Some(Step::new("ingress", says).by(object, by_label).amiss_if(value.is_some()))
}

//! The client's node: connections that its pods opened, carried to waypoints and to pods of the
//! mesh.
//!
//! It reads nothing of what they say, but where the waypoint is to run here: then the engine serves
//! them as if it were one.
//!
//! **Invariant:** what is carried is carried in the name of the pod that opened it, from its own
//! network, on connections that it shares with no other pod.
//! **Invariant:** a connection ends at once when its pod is gone.

use std::{rc::Rc, sync::Arc};

use crate::{mesh::workload::Workload, telemetry::access::Direction};

use self::{
    course::{Course, Passage},
    hop::Reached,
};
use super::{
    connection::Connection,
    failure::Failure,
    flow::{Flow, broken, is_there},
    limits::INSTANCES_TRIED_MAX,
    stream::Stream,
    view::View,
};

mod course;
mod hop;

/// Carries a captured connection to its end.
pub(super) async fn serve(connection: Rc<Connection>, mut client: Stream) {
    let view = connection.worker.view();
    let Some(pod) = connection.peer(&view).workload else {
        client.reset_on_drop();
        return flow_of(&connection, None).fail(&Failure::UnknownSource);
    };
    let course = course::choose(&connection, &view, &pod);
    let mut flow = None;
    if !matches!(course, Course::Here) {
        let mut one = flow_of(&connection, Some(&pod));
        note(&mut one, &connection, &view);
        flow = Some(one);
    }
    drop(view);
    let gone =
        broken(&connection.worker, |view| (!is_there(&pod, view)).then_some(Failure::PodGone));
    let Some(mut flow) = flow else {
        let connection = Rc::clone(&connection);
        tokio::select! {
            () = connection.serve(client) => {}
            _ = gone => {}
        }
        return;
    };
    match reach(&connection, &mut flow, &pod, course).await {
        Ok(Reached { stream, in_flight: _in_flight }) => flow.relay((client, stream), gone).await,
        Err(failure) => {
            client.reset_on_drop();
            flow.fail(&failure);
        }
    }
}

/// What is told of a connection.
fn flow_of(connection: &Rc<Connection>, pod: Option<&Arc<Workload>>) -> Flow {
    let ends = (connection.remote, connection.local);
    let mut flow = Flow::new(&connection.worker, Direction::Outbound, ends, None);
    flow.from(pod);
    flow
}

/// Notes what was addressed.
fn note(flow: &mut Flow, connection: &Connection, view: &View) {
    let address = connection.local.ip();
    if let Some(service) = view.snapshot().service_of_vip(address) {
        flow.addressed(&service.name, view.snapshot());
    } else {
        flow.to(view.snapshot().workload_of_address(address));
    }
}

/// Connects to where a connection is to go.
async fn reach(
    connection: &Rc<Connection>,
    flow: &mut Flow,
    pod: &Arc<Workload>,
    course: Course,
) -> Result<Reached, Failure> {
    match course {
        Course::Here => Err(Failure::UnknownSource),
        Course::Refused(failure) => Err(failure),
        Course::Waypoint(passage) => through(connection, flow, pod, passage).await,
        Course::Pod(endpoint) => {
            let to = hop::Target { endpoint: &endpoint, authority: endpoint.address, host: None };
            hop::by_hbone(connection, flow, pod, to).await
        }
        Course::Plain(direct) => hop::plainly(connection, flow, direct).await,
    }
}

/// Connects to a pod of a waypoint, to another when one cannot be reached, and if none can, without
/// a waypoint where that is wanted.
async fn through(
    connection: &Rc<Connection>,
    flow: &mut Flow,
    pod: &Arc<Workload>,
    passage: Passage,
) -> Result<Reached, Failure> {
    flow.line.waypoint = Some(passage.waypoint.to_string());
    let mut tried = Vec::new();
    let mut failure = Failure::NoHealthyUpstream(format!("waypoint {}", passage.waypoint));
    while tried.len() < INSTANCES_TRIED_MAX
        && let Some(instance) = passage.pick(&tried)
    {
        tried.push(instance.address);
        let host = passage.host.clone();
        let to = hop::Target { endpoint: instance, authority: connection.local, host };
        match hop::to_waypoint(connection, flow, pod, to).await {
            Ok(reached) => return Ok(reached),
            Err(other) => failure = other,
        }
        if failure.is_refusal() {
            return Err(failure);
        }
    }
    match passage.bypass {
        Some(direct) => {
            tracing::debug!(waypoint = %passage.waypoint, cause = %failure, "passed by");
            connection.worker.limits.waypoint_passed_by.hit();
            flow.line.error = Some(failure.to_string());
            hop::plainly(connection, flow, direct).await
        }
        None => Err(failure),
    }
}

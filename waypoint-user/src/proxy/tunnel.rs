//! The client's node: connections that its pods opened, carried to waypoints and to pods of the
//! mesh.
//!
//! It reads nothing of what they say, but where the waypoint is to run here: then the engine serves
//! them as if it were one.
//!
//! **Invariant:** what is carried is carried in the name of the pod that opened it, from its own
//! network, on connections that it shares with no other pod.
//! **Invariant:** a connection ends at once when its pod is gone.
//! **Invariant:** a connection that is not there yet goes where the mesh leads it now; what led it
//! elsewhere before is not waited for.

use std::{rc::Rc, sync::Arc};

use crate::{hbone, mesh::workload::Workload, telemetry::access::Direction};

use self::{
    course::{Course, Passage},
    hop::Reached,
    instances::Missed,
};
use super::{
    connection::Connection,
    failure::Failure,
    flow::{Flow, broken, is_there},
    limits::COURSES_MAX,
    stream::Stream,
    view::{Endpoint, View},
};

mod course;
mod hop;
mod instances;

/// Carries a captured connection to its end.
pub(super) async fn serve(connection: Rc<Connection>, mut client: Stream) {
    let view = connection.worker.view();
    let Some(pod) = connection.peer(&view).workload else {
        client.reset_on_drop();
        return flow_of(&connection, None).fail(&Failure::UnknownSource);
    };
    let course = course::choose(&connection, &view, &pod);
    let gone =
        broken(&connection.worker, |view| (!is_there(&pod, view)).then_some(Failure::PodGone));
    let mut flow = flow_of(&connection, Some(&pod));
    note(&mut flow, &connection, &view);
    drop(view);
    match reach(&connection, &mut flow, &pod, course).await {
        Ok(Some(Reached { stream, in_flight: _in_flight, .. })) => {
            flow.relay((client, stream), gone).await;
        }
        Ok(None) => {
            flow.forget();
            let served = Rc::clone(&connection).serve(client);
            tokio::select! {
                () = served => {}
                _ = gone => {}
            }
        }
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

/// Connects to where a connection is to go, as the mesh has it by the time that it is there;
/// nothing where that is the engine of this process.
async fn reach(
    connection: &Rc<Connection>,
    flow: &mut Flow,
    pod: &Arc<Workload>,
    mut course: Course,
) -> Result<Option<Reached>, Failure> {
    for _ in 0..COURSES_MAX {
        let passage = match course {
            Course::Waypoint(passage) => passage,
            Course::Here => return Ok(None),
            Course::Refused(failure) => return Err(failure),
            Course::Pod(endpoint) => return to_pod(connection, flow, pod, &endpoint).await,
            Course::Plain(direct) => return hop::plainly(connection, flow, direct).await.map(Some),
        };
        flow.line.waypoint = Some(passage.waypoint.to_string());
        let choose = || course::choose(connection, &connection.worker.view(), pod);
        course = match instances::reach(connection, flow, pod, &passage).await {
            Ok(reached) => return Ok(Some(reached)),
            Err(Missed::Overtaken) => choose(),
            Err(Missed::Failed(failure)) if failure.is_refusal() => return Err(failure),
            Err(Missed::Failed(failure)) => {
                let now = choose();
                if !now.offers_more_than(&passage) {
                    return past(connection, flow, passage, failure).await.map(Some);
                }
                now
            }
        };
        flow.line.waypoint = None;
    }
    Err(Failure::Tunnel(hbone::Error::Evicted))
}

/// Connects to a pod of the mesh.
async fn to_pod(
    connection: &Rc<Connection>,
    flow: &mut Flow,
    pod: &Arc<Workload>,
    endpoint: &Endpoint,
) -> Result<Option<Reached>, Failure> {
    hop::note_asked(flow, endpoint);
    let to = hop::Target { endpoint, authority: endpoint.address, host: None };
    let reached = hop::by_hbone(connection, pod, to).await?;
    reached.note(flow, pod, endpoint);
    Ok(Some(reached))
}

/// Connects without a waypoint of which no pod took the connection, where that is wanted.
async fn past(
    connection: &Rc<Connection>,
    flow: &mut Flow,
    passage: Passage,
    failure: Failure,
) -> Result<Reached, Failure> {
    let Some(direct) = passage.bypass else { return Err(failure) };
    tracing::debug!(waypoint = %passage.waypoint, cause = %failure, "passed by");
    connection.worker.limits.waypoint_passed_by.hit();
    flow.line.error = Some(failure.to_string());
    hop::plainly(connection, flow, direct).await
}

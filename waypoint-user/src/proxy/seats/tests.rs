use std::net::TcpListener;

use super::*;

/// A connection that somebody accepted.
fn arrival(seat: Seat) -> Arrival {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let remote = stream.local_addr().unwrap();
    Arrival { caller: Caller::Peer(stream, remote), seat }
}

#[tokio::test]
async fn a_connection_goes_to_whoever_has_the_fewest_and_stays_among_equals() {
    let mut all = Seats::for_each(2, &Registry::new());
    let second = all.pop().unwrap();
    let first = all.pop().unwrap();
    let one = first.take(2).unwrap();
    assert!(first.is_here(&one));
    let two = first.take(2).unwrap();
    assert!(second.is_here(&two) && !first.is_here(&two));
    let three = second.take(2).unwrap();
    assert!(second.is_here(&three));
    let four = second.take(2).unwrap();
    assert!(first.is_here(&four));
    assert!(first.take(2).is_none() && second.take(2).is_none());
    let sent = arrival(two);
    assert!(first.hand_over(sent).is_ok());
    let arrived = second.arrivals().unwrap().recv().await.unwrap();
    assert!(second.is_here(&arrived.seat));
    drop(arrived);
    assert!(first.take(2).is_some());
    drop((one, four));
    first.emptied().await;
}

#[tokio::test]
async fn a_connection_comes_back_from_a_worker_that_takes_no_more() {
    let mut all = Seats::for_each(2, &Registry::new());
    let second = all.pop().unwrap();
    let first = all.pop().unwrap();
    let _kept = first.take(9).unwrap();
    let seat = first.take(9).unwrap();
    drop(second.arrivals());
    let back = first.hand_over(arrival(seat)).err().unwrap();
    assert!(second.is_here(&back.seat));
    drop(back);
    second.emptied().await;
}

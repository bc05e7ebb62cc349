use super::*;

#[test]
fn what_is_left_is_right_wherever_what_comes_is_cut() {
    let text = [b'x'; 100];
    let whole = {
        let mut bench = Bench::new();
        let block = bench.block(&Method::POST, "/", &[("content-length", "200")]);
        [&headers(1, END_HEADERS, &block)[..], &body(1, &text, false), &body(1, &text, true)]
            .concat()
    };
    for cut in 1..whole.len() {
        let mut bench = Bench::new();
        let (first, second) = whole.split_at(cut);
        bench.feed(first);
        let early = bench.accepted.first().map(|accepted| accepted.body.left());
        assert!(early.is_none_or(|left| left == Some(200)), "cut at {cut}: {early:?}");
        if early.is_some() {
            let taken = bench.read(0).0.len() as u64;
            assert_eq!(bench.accepted[0].body.left(), Some(200 - taken), "cut at {cut}");
        }
        bench.feed(second);
        let taken = bench.read(0);
        assert_eq!(taken.1, Some(Ok(HeaderMap::new())), "cut at {cut}");
    }
}

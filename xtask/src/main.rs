//! Build, test and play.
fn main() {}

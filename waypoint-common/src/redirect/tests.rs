//! Unit and property tests of the decision.

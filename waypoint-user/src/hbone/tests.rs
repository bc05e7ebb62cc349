mod closing;
mod end_to_end;
mod fixture;
mod over_tls;
mod pooling;
mod refusals;

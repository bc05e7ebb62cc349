mod end_to_end;
mod fixture;
mod pooling;
mod refusals;

//! Summary of a run: the same content as a table and as JSON.

mod data;
mod table;

pub use data::{
    AgentSummary, FilterSummary, GovernorSummary, KernelSummary, LinkSummary, SensorSummary,
    Summary, TrackSummary,
};

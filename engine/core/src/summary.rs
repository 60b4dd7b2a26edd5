//! Summary of a run: the same content as a table and as JSON.

mod data;
mod table;

pub use data::{
    AgentSummary, AlarmSummary, BlendSummary, FilterSummary, FleetSummary, GovernorSummary,
    KernelSummary, LinkSummary, MemorySummary, SensorSummary, Summary, TrackSummary,
    WitnessSummary,
};

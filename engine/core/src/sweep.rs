//! Many runs by one plan: scenes, values and seeds in a fixed order, and one row for each run.
//!
//! [`Plan::new`] checks what was asked for and takes all files of its scenes, so that a plan alone is enough on another
//! machine. A [`Runner`] makes the row of a run by its index; [`run_on_threads`] does many of them on threads of this
//! process. The rows of a run are the same wherever it is run, except for its wall time.
//!
//! ```
//! use becomingone::Plugins;
//! use becomingone::sweep::{Cell, Plan, Request, Runner, Seeds};
//! use becomingone::trials::CancelToken;
//! use std::time::Duration;
//!
//! let request = Request {
//!     seeds: Some(Seeds::Range { from: 0, to: 3 }),
//!     duration: Some(Duration::from_millis(10)),
//!     ..Request::of_scene("built-in/scenes/arm_wave.ron")
//! };
//! let plan = Plan::new(request, &Plugins::new())?;
//! assert_eq!(plan.runs, 3);
//! let mut runner = Runner::new(&plan, &Plugins::new())?;
//! let row = runner.run(2, &CancelToken::default(), &()).expect("it is not cancelled");
//! let seed = plan.columns.iter().position(|c| c.name == "seed").expect("each plan has it");
//! assert_eq!(row.cells[seed], Cell::Count(Some(2)));
//! # Ok::<(), becomingone::sweep::PlanError>(())
//! ```

mod cells;
mod design;
mod execute;
mod files;
mod flatten;
mod plan;
mod points;
mod runner;
mod seeds;

pub use cells::{Cell, Column, ColumnKind, Row};
pub use execute::run_on_threads;
pub use files::PlanFiles;
pub use plan::{Plan, PlanError, PlannedScene, Request};
pub use points::{Axis, Design, Sample, Span, Values};
pub use runner::{RunAt, RunHook, Runner};
pub use seeds::Seeds;

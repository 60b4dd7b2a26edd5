//! What moves agents, and what stops them.

#![expect(clippy::disallowed_methods, reason = "leases last by the wall clock")]

use crate::command::{Accepted, Refusal, SENDER};
use crate::extract::{Body, Path};
use crate::gate::Caller;
use crate::lease::{Granted, LeaseError, Shown, Wanted};
use crate::ledger::{Acknowledged, Outcome};
use crate::problem::Problem;
use crate::server::Server;
use crate::token::Role;
use crate::view::PlaceView;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use becomingone::components::nearest::did_you_mean;
use becomingone::components::request::RequestKind;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// The header with the secret of a lease.
const LEASE: &str = "lease";
/// Longest time for which a command holds (s).
const MAX_FOR_S: f64 = 60.0;
/// Longest time for which a goal holds (s).
const MAX_GOAL_S: f64 = 3600.0;
/// Most characters of a text of a request.
const MAX_TEXT: usize = 256;
/// Longest wait for the tick that checks a command.
const CHECKED_WITHIN: Duration = Duration::from_secs(1);

impl From<LeaseError> for Problem {
    fn from(error: LeaseError) -> Self {
        let detail = error.to_string();
        match error {
            LeaseError::Taken { .. } => Self::conflict(detail),
            LeaseError::Wanted(_) => Self::bad(detail),
            _ => Self::forbidden(detail),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        use becomingone::systems::control::refusal::Refusal as Reason;
        match refusal {
            Refusal::Run(reason) => {
                let detail = reason.to_string();
                match reason {
                    Reason::Stopped { .. }
                    | Reason::NotStopped
                    | Reason::StopInSameTick
                    | Reason::SafetyStop => Self::conflict(detail),
                    _ => Self::bad(detail),
                }
            }
            Refusal::NotArmed => {
                Self::forbidden("found hardware that is not armed; expected a run with --arm")
            }
            Refusal::Full => Self::unavailable("found a full queue of requests; expected a pause"),
            Refusal::LeaseOver => Self::forbidden(
                "found a lease that ended while the command waited; expected one in force",
            ),
            Refusal::NoTick => Self::unavailable(format!(
                "found no tick within {} s; the command is not applied",
                CHECKED_WITHIN.as_secs()
            )),
        }
    }
}

/// Stops every agent from the next tick on: no lease and no role is needed. Only `clear_stop` of an owner ends it.
#[utoipa::path(
    post, path = "/stop", tag = "motion",
    responses(
        (status = 204, description = "Every agent stops, and stays so"),
        (status = 401, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn stop_all(State(server): State<Arc<Server>>) -> StatusCode {
    server.stop_all(SENDER);
    StatusCode::NO_CONTENT
}

/// Stops an agent from the next tick on: no lease and no role is needed. Only `clear_stop` of an owner ends it.
#[utoipa::path(
    post, path = "/agents/{agent}/stop", tag = "motion", params(("agent" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It stops, and stays so"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn stop(
    State(server): State<Arc<Server>>,
    Path(agent): Path<String>,
) -> Result<StatusCode, Problem> {
    let stopped = server.stop(&agent, SENDER);
    stopped.map_err(|unknown| Problem::not_found(unknown.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Clears the stop of an agent; an owner alone may do so.
#[utoipa::path(
    post, path = "/agents/{agent}/clear_stop", tag = "motion", params(("agent" = String, Path, description = "Its name")),
    responses(
        (status = 202, body = AcceptedView),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn clear_stop(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(agent): Path<String>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<AcceptedView>), Problem> {
    caller.needs(Role::Owner)?;
    server.agent(&agent)?;
    let lasts = Duration::from_secs_f64(MAX_FOR_S);
    give(
        &server,
        caller,
        &headers,
        &agent,
        RequestKind::ClearStop,
        lasts,
        None,
    )
    .await
}

/// Gives a command to the run, after it is on the disk.
async fn give(
    server: &Server,
    caller: Caller,
    headers: &HeaderMap,
    agent: &str,
    what: RequestKind,
    lasts: Duration,
    lease: Option<u64>,
) -> Result<(StatusCode, Json<AcceptedView>), Problem> {
    server.takes_commands()?;
    let number = match &server.ledger {
        None => None,
        Some(ledger) => {
            let key = headers.get("idempotency-key");
            let entry = Acknowledged {
                request: 0,
                key: key.and_then(|key| key.to_str().ok()).map(str::to_owned),
                role: caller.role.to_string(),
                agent: agent.to_owned(),
                what: what.clone(),
                for_s: lasts.as_secs_f64(),
                tick: None,
                refused: None,
            };
            Some((ledger, ledger.write(entry).await?))
        }
    };
    let given = server
        .commands
        .give(agent, what, lasts, lease, CHECKED_WITHIN)
        .await;
    let given = given.map_err(Problem::from);
    if let Some((ledger, request)) = number {
        ledger.outcome(&Outcome {
            request,
            tick: given.as_ref().ok().map(|accepted| accepted.tick),
            refused: given.as_ref().err().map(|problem| problem.detail.clone()),
        });
    }
    Ok((StatusCode::ACCEPTED, Json(given?.into())))
}

/// Leases of the run.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeaseList {
    /// In the order of their agents.
    leases: Vec<Shown>,
}

/// All leases, without their secrets.
#[utoipa::path(
    get, path = "/leases", tag = "motion",
    responses((status = 200, body = LeaseList), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn leases(State(server): State<Arc<Server>>) -> Json<LeaseList> {
    Json(LeaseList {
        leases: server.leases().shown(Instant::now()),
    })
}

/// Grants the right to move an agent, for a time and within limits; an owner alone may do so. Who moves the agent sends
/// the `id` in the header `Lease`.
#[utoipa::path(
    post, path = "/agents/{agent}/lease", tag = "motion", request_body = Wanted,
    params(("agent" = String, Path, description = "Its name")),
    responses(
        (status = 201, body = Granted),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn grant(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(agent): Path<String>,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<Granted>), Problem> {
    caller.needs(Role::Owner)?;
    server.agent(&agent)?;
    server.takes_commands()?;
    let granted = server.leases().grant(&agent, wanted, Instant::now());
    server.end_leases();
    let granted = granted?;
    Ok((StatusCode::CREATED, Json(granted)))
}

/// Secret of the lease that a request was sent with.
fn lease_of(headers: &HeaderMap) -> Result<&str, Problem> {
    let id = headers.get(LEASE).and_then(|id| id.to_str().ok());
    id.ok_or_else(|| Problem::forbidden("found no header `Lease`; expected the `id` of a lease that an owner grants: POST /v1/agents/{agent}/lease"))
}

/// Releases the lease of an agent; what it asked for ends. An owner may end it without its `id`.
#[utoipa::path(
    delete, path = "/agents/{agent}/lease", tag = "motion",
    params(
        ("agent" = String, Path, description = "Its name"),
        ("lease" = Option<String>, Header, description = "The `id` of the lease")
    ),
    responses(
        (status = 204, description = "It is released"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn release(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(agent): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    server.agent(&agent)?;
    let now = Instant::now();
    match caller.role {
        Role::Owner => {
            let revoked = server.leases().revoke(&agent, now);
            // One that was over a moment ago ends here as well.
            server.end_leases();
            revoked?;
        }
        _ => server.leases().release(&agent, lease_of(&headers)?, now)?,
    }
    server.end_leases();
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps a lease from ending by silence. A command does so, too.
#[utoipa::path(
    post, path = "/agents/{agent}/lease/heartbeat", tag = "motion",
    params(
        ("agent" = String, Path, description = "Its name"),
        ("lease" = String, Header, description = "The `id` of the lease")
    ),
    responses(
        (status = 204, description = "It goes on"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn heartbeat(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(agent): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    caller.needs(Role::Operator)?;
    server.agent(&agent)?;
    server
        .leases()
        .beat(&agent, lease_of(&headers)?, Instant::now())?;
    Ok(StatusCode::NO_CONTENT)
}

/// A command.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Asked {
    /// Speed and yaw rate, of wheels.
    Drive {
        /// Forward (m/s).
        linear_m_s: f64,
        /// To the left (rad/s).
        #[serde(default)]
        angular_rad_s: f64,
        /// It holds for this time of the run (s).
        #[serde(default = "half")]
        #[schema(exclusive_minimum = 0.0, maximum = 60.0)]
        for_s: f64,
    },
    /// Speed and steering angle, of a car.
    Car {
        /// Forward (m/s).
        speed_m_s: f64,
        /// To the left (rad).
        #[serde(default)]
        steering_rad: f64,
        /// It holds for this time of the run (s).
        #[serde(default = "half")]
        #[schema(exclusive_minimum = 0.0, maximum = 60.0)]
        for_s: f64,
    },
    /// Position of a stick, of any drive.
    Stick {
        /// -1 to 1 of the drive's largest speed.
        #[schema(minimum = -1.0, maximum = 1.0)]
        forward: f64,
        /// -1 to 1 of the drive's sharpest turn.
        #[serde(default)]
        #[schema(minimum = -1.0, maximum = 1.0)]
        left: f64,
        /// It holds for this time of the run (s).
        #[serde(default = "half")]
        #[schema(exclusive_minimum = 0.0, maximum = 60.0)]
        for_s: f64,
    },
    /// A drive to a place of the scene, or to a position; of an agent whose controller plans.
    GoTo {
        /// Name of a place of the scene; without `x_m` and `y_m`.
        #[serde(default)]
        place: Option<String>,
        /// World position (m).
        #[serde(default)]
        x_m: Option<f64>,
        /// World position (m).
        #[serde(default)]
        y_m: Option<f64>,
        /// It is dropped after this time of the run (s).
        #[serde(default = "hour")]
        #[schema(exclusive_minimum = 0.0, maximum = 3600.0)]
        for_s: f64,
    },
    /// A distance straight ahead, by odometry; of wheels.
    Move {
        /// Forward positive (m).
        distance_m: f64,
        /// It is dropped after this time of the run (s).
        #[serde(default = "hour")]
        #[schema(exclusive_minimum = 0.0, maximum = 3600.0)]
        for_s: f64,
    },
    /// An angle on the spot, by odometry; of wheels.
    Turn {
        /// To the left positive (rad).
        angle_rad: f64,
        /// It is dropped after this time of the run (s).
        #[serde(default = "hour")]
        #[schema(exclusive_minimum = 0.0, maximum = 3600.0)]
        for_s: f64,
    },
    /// Targets of all joints, in their order.
    Joints {
        /// rad or m.
        #[schema(max_items = 256)]
        positions: Vec<f64>,
        /// rad/s or m/s; none: at rest there.
        #[serde(default)]
        #[schema(max_items = 256)]
        velocities: Vec<f64>,
        /// It holds for this time of the run (s).
        #[serde(default = "half")]
        #[schema(exclusive_minimum = 0.0, maximum = 60.0)]
        for_s: f64,
    },
    /// A number of the controller, until the next one or a reset; also of a stopped agent.
    Set {
        /// One of `/v1/agents/{agent}/parameters`: `controller.speed_m_s`.
        #[schema(max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
        parameter: String,
        /// In the unit that its name ends with.
        value: f64,
    },
    /// A fault of a simulated sensor or drive, from the next tick on; also of a stopped agent.
    Fault {
        /// Sensor or drive, and the part: `imu/gyro_z`.
        #[schema(max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
        target: String,
        /// As in a scene: `Bias(0.1)`.
        #[schema(max_length = 256, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
        fault: String,
        /// It ends after this time of the run (s); none: with `end_faults`, or a reset.
        #[serde(default)]
        #[schema(exclusive_minimum = 0.0, maximum = 1000000000.0)]
        for_s: Option<f64>,
    },
    /// The end of the faults that were requested; those of the scene go on.
    EndFaults {},
}

/// A text of a request that is not too long, and controls no terminal.
fn bounded(name: &str, text: String) -> Result<String, Problem> {
    if text.chars().count() > MAX_TEXT {
        return Err(Problem::bad(format!(
            "found `{name}` of more than {MAX_TEXT} characters"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::bad(format!(
            "found `{name}` with control characters"
        )));
    }
    Ok(text)
}

fn half() -> f64 {
    0.5
}

fn hour() -> f64 {
    MAX_GOAL_S
}

impl Asked {
    fn request(self, places: &[PlaceView]) -> Result<(RequestKind, Duration), Problem> {
        let (what, for_s) = match self {
            Self::GoTo {
                place,
                x_m,
                y_m,
                for_s,
            } => {
                let [x_m, y_m] = position(place.as_deref(), x_m, y_m, places)?;
                (RequestKind::GoTo { x_m, y_m }, for_s)
            }
            Self::Move { distance_m, for_s } => (RequestKind::Move { distance_m }, for_s),
            Self::Turn { angle_rad, for_s } => (RequestKind::Turn { angle_rad }, for_s),
            Self::Drive {
                linear_m_s,
                angular_rad_s,
                for_s,
            } => (
                RequestKind::Twist {
                    linear_m_s,
                    angular_rad_s,
                },
                for_s,
            ),
            Self::Car {
                speed_m_s,
                steering_rad,
                for_s,
            } => (
                RequestKind::Ackermann {
                    speed_m_s,
                    steering_rad,
                },
                for_s,
            ),
            Self::Stick {
                forward,
                left,
                for_s,
            } => {
                if !(-1.0..=1.0).contains(&forward) || !(-1.0..=1.0).contains(&left) {
                    return Err(Problem::bad("expected `forward` and `left` from -1 to 1"));
                }
                (RequestKind::Stick { forward, left }, for_s)
            }
            Self::Joints {
                positions,
                mut velocities,
                for_s,
            } => {
                if velocities.is_empty() {
                    velocities = vec![0.0; positions.len()];
                }
                (
                    RequestKind::Joints {
                        positions,
                        velocities,
                    },
                    for_s,
                )
            }
            Self::Set { parameter, value } => {
                let parameter = bounded("parameter", parameter)?;
                (RequestKind::Set { parameter, value }, half())
            }
            Self::Fault {
                target,
                fault,
                for_s,
            } => (
                RequestKind::Fault {
                    target: bounded("target", target)?,
                    kind: bounded("fault", fault)?,
                    for_s,
                },
                half(),
            ),
            Self::EndFaults {} => (RequestKind::EndFaults, half()),
        };
        let most = if what.is_streamed() {
            MAX_FOR_S
        } else {
            MAX_GOAL_S
        };
        if !(for_s > 0.0 && for_s <= most) {
            return Err(Problem::bad(format!(
                "found \"for_s\": {for_s}; expected more than 0, and at most {most}"
            )));
        }
        Ok((what, Duration::from_secs_f64(for_s)))
    }
}

/// The position of a goal (m).
fn position(
    place: Option<&str>,
    x_m: Option<f64>,
    y_m: Option<f64>,
    places: &[PlaceView],
) -> Result<[f64; 2], Problem> {
    match (place, x_m, y_m) {
        (None, Some(x_m), Some(y_m)) => Ok([x_m, y_m]),
        (Some(name), None, None) => {
            let found = places.iter().find(|place| place.name == name);
            found.map(|place| [place.x_m, place.y_m]).ok_or_else(|| {
                let names = places.iter().map(|place| place.name.as_str());
                let known: Vec<_> = names.clone().map(|name| format!("`{name}`")).collect();
                Problem::not_found(match known.is_empty() {
                    true => "found a place, and a scene without places; expected `x_m` and `y_m`"
                        .to_owned(),
                    false => format!(
                        "found no place of this name; expected one of {}{}",
                        known.join(", "),
                        did_you_mean(name, names)
                    ),
                })
            })
        }
        _ => Err(Problem::bad("expected `place` alone, or `x_m` and `y_m`")),
    }
}

/// A command that was given to the run.
#[derive(Serialize, ToSchema)]
pub(crate) struct AcceptedView {
    /// It is applied with the tick of this number.
    tick: u64,
    /// It ends at this time of the run (s).
    expires_s: f64,
}

impl From<Accepted> for AcceptedView {
    fn from(accepted: Accepted) -> Self {
        Self {
            tick: accepted.tick,
            expires_s: accepted.expires_s,
        }
    }
}

/// Tells an agent what to do, in place of its controller, until the command expires. Needs a lease.
#[utoipa::path(
    post, path = "/agents/{agent}/requests", tag = "motion", request_body = Asked,
    params(
        ("agent" = String, Path, description = "Its name"),
        ("lease" = String, Header, description = "The `id` of a lease")
    ),
    responses(
        (status = 202, body = AcceptedView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn request(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(agent): Path<String>,
    headers: HeaderMap,
    Body(asked): Body<Asked>,
) -> Result<(StatusCode, Json<AcceptedView>), Problem> {
    caller.needs(Role::Operator)?;
    server.agent(&agent)?;
    let (what, lasts) = asked.request(&server.places)?;
    let (left, lease) =
        server
            .leases()
            .allows(&agent, lease_of(&headers)?, &what, Instant::now())?;
    // Time of a run may pass faster than that of its lease, which ends it in any case.
    let lasts = lasts.min(left);
    give(&server, caller, &headers, &agent, what, lasts, Some(lease)).await
}

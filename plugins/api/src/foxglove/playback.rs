//! Playback control of Foxglove's protocol, of a recording that is played.

use crate::server::Server;
use becomingone::Pace;
use foxglove::ws_protocol::client::{PlaybackCommand, PlaybackControlRequest};
use foxglove::ws_protocol::server::PlaybackState;
use foxglove::ws_protocol::server::playback_state::PlaybackStatus;

/// Speed of a run that is as fast as possible, for clients (multiple of real time).
const FAST: f32 = 1000.0;

/// State that a client has of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Told {
    status: u8,
    speed: f32,
    seeks: u64,
}

/// Times of the recording (ns); none of a run.
pub(super) fn range(server: &Server) -> Option<(u64, u64)> {
    let playback = server.playback.as_ref()?;
    Some((0, playback.length_ns()))
}

/// Does what a client asks for.
pub(super) fn control(server: &Server, asked: &PlaybackControlRequest) -> Result<(), String> {
    if server.playback.is_none() {
        return Err(
            "this run is no recording; expected the services `/pause`, `/resume` and `/reset`"
                .to_owned(),
        );
    }
    let speed = f64::from(asked.playback_speed);
    if !(1e-3..=1e6).contains(&speed) {
        return Err(format!(
            "found the speed {speed}; expected 0.001 to 1000000"
        ));
    }
    if let Some(to_ns) = asked.seek_time {
        server.seek(to_ns).map_err(|problem| problem.detail)?;
    }
    server.run.set_pace(Pace::Rate(speed));
    match asked.playback_command {
        PlaybackCommand::Play => server.run.resume(),
        PlaybackCommand::Pause => server.run.pause(),
    }
    Ok(())
}

/// State of the playback; none of a run, and none where `told` is still so. `answers` is the request that it answers.
pub(super) fn state(
    server: &Server,
    told: &mut Told,
    answers: Option<String>,
) -> Option<PlaybackState> {
    let playback = server.playback.as_ref()?;
    let status = match (playback.is_over(), server.run.is_paused()) {
        (true, _) => PlaybackStatus::Ended,
        (false, true) => PlaybackStatus::Paused,
        (false, false) => PlaybackStatus::Playing,
    };
    let speed = match server.run.pace() {
        Pace::Fast => FAST,
        Pace::RealTime => 1.0,
        Pace::Rate(rate) => rate as f32,
    };
    let now = Told {
        status: status as u8,
        speed,
        seeks: playback.seeks(),
    };
    let did_seek = now.seeks != told.seeks;
    if now == *told && answers.is_none() {
        return None;
    }
    *told = now;
    Some(PlaybackState {
        status,
        current_time: playback.at_ns(),
        playback_speed: speed,
        did_seek,
        request_id: answers,
    })
}

//! What Rerun gets: `--rerun`.

use super::Failure;
use becomingone::CoherenceEngine;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where viewers look for a server, where nothing else was said: Rerun's own default.
const PORT: u16 = 9876;

/// What `--rerun` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rerun {
    /// A viewer if there is one, else a file.
    Auto,
    /// A viewer, started now.
    Spawn,
    /// A viewer that runs, or will.
    Connect(String),
    /// Viewers that come; none is on the default port, or on a free one.
    Serve(Option<SocketAddr>),
    /// A file.
    Save(PathBuf),
    /// Nothing.
    Off,
}

/// `--rerun` as it is written.
pub(super) fn parse(text: &str) -> Result<Rerun, String> {
    Ok(match text.split_once('=') {
        None if text == "auto" => Rerun::Auto,
        None if text == "spawn" => Rerun::Spawn,
        None if text == "serve" => Rerun::Serve(None),
        None if text == "off" => Rerun::Off,
        Some(("save", file)) if !file.is_empty() => Rerun::Save(file.into()),
        Some(("connect", url)) if !url.is_empty() => Rerun::Connect(url.to_owned()),
        Some(("serve", at)) => Rerun::Serve(Some(address(at)?)),
        _ => {
            return Err(
                "expected auto, spawn, serve, serve=PORT, connect=URL, save=FILE or off".to_owned(),
            );
        }
    })
}

/// A port of this machine only, or an address and a port.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse::<SocketAddr>()
        .or_else(|_| {
            text.parse::<u16>()
                .map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
        })
        .map_err(|_| {
            format!(
                "found serve={text}; expected serve=PORT, or serve=ADDRESS:PORT as serve=0.0.0.0:{PORT}"
            )
        })
}

/// What is shown: nothing, a viewer or a server (no file), or a file and the command that opens it.
pub(super) struct Viewer(Option<Option<(String, PathBuf)>>);

impl Viewer {
    /// Starts it.
    #[cfg(feature = "rerun")]
    pub(super) fn begin(
        wanted: &Rerun,
        engine: &mut CoherenceEngine,
        scene: &str,
    ) -> Result<Self, Failure> {
        use becomingone_rerun::{RerunPlugin, Sink, viewer};
        let (sink, file) = match wanted {
            Rerun::Off => return Ok(Self(None)),
            Rerun::Save(file) => (Sink::File(file.clone()), Some(file.clone())),
            Rerun::Connect(url) => (Sink::Viewer { url: url.clone() }, None),
            Rerun::Serve(at) => {
                let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
                let sink = Sink::Server {
                    address: at.unwrap_or(here),
                    any_port: at.is_none(),
                };
                (sink, None)
            }
            Rerun::Spawn => {
                let program = viewer::showable().map_err(|why| {
                    Failure::BadInput(format!(
                        "--rerun spawn: {why}; --rerun serve or --rerun save=FILE need no viewer here"
                    ))
                })?;
                let viewer = viewer::spawn(&program)
                    .map_err(|e| Failure::Run(format!("--rerun spawn: {e}")))?;
                (Sink::Viewer { url: viewer.url }, None)
            }
            Rerun::Auto => match open_viewer() {
                Some(url) => (Sink::Viewer { url }, None),
                None => {
                    let file = PathBuf::from(format!("{scene}.rrd"));
                    (Sink::File(file.clone()), Some(file))
                }
            },
        };
        let plugin = match RerunPlugin::new(sink, scene) {
            Ok(plugin) => plugin,
            // Nobody asked for this file.
            Err(error) if *wanted == Rerun::Auto => {
                complain!("warning: {error}; running without a recording");
                return Ok(Self(None));
            }
            Err(error) => return Err(Failure::BadInput(error.to_string())),
        };
        if matches!(wanted, Rerun::Serve(_))
            && let Some(url) = plugin.url()
        {
            say!(
                "serving viewers until the run ends; to look at it:\n    {}\n",
                viewer::attach_command(url)
            );
        }
        engine.add_plugin(plugin);
        Ok(Self(Some(file.map(|f| (viewer::open_command(&f), f)))))
    }

    /// Starts nothing: there is no Rerun in this binary.
    #[cfg(not(feature = "rerun"))]
    pub(super) fn begin(
        wanted: &Rerun,
        _engine: &mut CoherenceEngine,
        _scene: &str,
    ) -> Result<Self, Failure> {
        match wanted {
            Rerun::Auto | Rerun::Off => Ok(Self(None)),
            _ => Err(Failure::BadInput(
                "this binary was built without Rerun, so that only --rerun off is there; build it with --features rerun".to_owned(),
            )),
        }
    }

    /// Closes it.
    #[cfg(feature = "rerun")]
    pub(super) fn end(self, engine: &mut CoherenceEngine, quiet: bool) {
        let Some(to) = self.0 else { return };
        // Half of the two seconds in which a stopped run is gone.
        let limit = Duration::from_secs(1);
        if let Some(report) = becomingone_rerun::finish(engine.world_mut(), limit)
            && (report.dropped > 0 || report.lost.is_some())
        {
            complain!(
                "warning: Rerun missed {} of {} batches{}",
                report.dropped,
                report.dropped + report.sent,
                report.lost.map_or(String::new(), |why| format!("; {why}"))
            );
        }
        if let Some((command, file)) = to
            && !quiet
        {
            say!(
                "recorded {}; to look at it:\n    {command}\n",
                file.display()
            );
        }
    }

    #[cfg(not(feature = "rerun"))]
    pub(super) fn end(self, _engine: &mut CoherenceEngine, _quiet: bool) {}
}

/// The viewer's address, if there is someone to look, something to look at, and a viewer.
#[cfg(feature = "rerun")]
fn open_viewer() -> Option<String> {
    use becomingone_rerun::viewer;
    let program = viewer::find().ok()?;
    match viewer::spawn(&program) {
        Ok(viewer) => Some(viewer.url),
        Err(error) => {
            complain!("warning: {error}; saving to a file instead");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_show_are_read() {
        assert_eq!(parse("spawn"), Ok(Rerun::Spawn));
        assert_eq!(parse("serve"), Ok(Rerun::Serve(None)));
        let at = |text: &str| Ok(Rerun::Serve(Some(text.parse().unwrap())));
        assert_eq!(parse("serve=9000"), at("127.0.0.1:9000"));
        assert_eq!(parse("serve=0.0.0.0:9000"), at("0.0.0.0:9000"));
        assert_eq!(parse("connect=x"), Ok(Rerun::Connect("x".to_owned())));
        for wrong in [
            "", "save", "save=", "connect", "connect=", "spawn=1", "viewer",
        ] {
            assert!(parse(wrong).unwrap_err().contains("connect=URL"), "{wrong}");
        }
        assert!(parse("serve=99999").unwrap_err().contains("serve=99999"));
    }
}

//! Output to Rerun: `--rerun`.

use crate::failure::Failure;
use becomingone::CoherenceEngine;
use clap::builder::{OsStringValueParser, TypedValueParser as _, ValueParser};
use clap_lex::OsStrExt as _;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
#[cfg(feature = "rerun")]
use std::time::Duration;

/// Rerun's default port.
const PORT: u16 = 9876;

/// Value of `--rerun`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rerun {
    /// A viewer if one is installed, else a file.
    Auto,
    /// A viewer, started now.
    Spawn,
    /// A viewer at this URL, running or started later.
    Connect(String),
    /// A server for viewers; `None`: on the default port, or a free one.
    Serve(Option<SocketAddr>),
    /// A file.
    Save(PathBuf),
    /// No output.
    Off,
}

/// Parser of `--rerun`: the name of a file may have any bytes.
pub(super) fn parser() -> ValueParser {
    let parser = OsStringValueParser::new();
    parser.try_map(|text| parse(&text)).into()
}

fn parse(how: &OsStr) -> Result<Rerun, String> {
    if let Some(file) = how.strip_prefix("save=").filter(|file| !file.is_empty()) {
        return Ok(Rerun::Save(file.into()));
    }
    let text = how.to_string_lossy();
    Ok(match text.split_once('=') {
        None if text == "auto" => Rerun::Auto,
        None if text == "spawn" => Rerun::Spawn,
        None if text == "serve" => Rerun::Serve(None),
        None if text == "off" => Rerun::Off,
        Some(("connect", url)) if !url.is_empty() => Rerun::Connect(url.to_owned()),
        Some(("serve", at)) => Rerun::Serve(Some(address(at)?)),
        _ => {
            return Err(
                "expected auto, spawn, serve, serve=PORT, connect=URL, save=FILE or off".to_owned(),
            );
        }
    })
}

/// A port on the loopback interface, or an address and a port.
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

/// Largest number of a recording whose name is taken by another run.
#[cfg(feature = "rerun")]
pub(super) const MAX_NUMBER: u32 = 999;

/// Says that a recording has another name, as its own is taken.
#[cfg(feature = "rerun")]
pub(super) fn print_renamed(from: &std::path::Path, to: &std::path::Path) {
    print_err!(
        "warning: {} is being written by another run: this one is recorded to {}",
        from.display(),
        to.display()
    );
}

/// The open output.
pub(super) struct Viewer {
    /// None, a viewer or a server (no file), or a file and the command that opens it.
    #[cfg(feature = "rerun")]
    to: Option<Option<(String, PathBuf)>>,
    /// Address of the server for viewers.
    #[cfg_attr(not(feature = "api"), expect(dead_code, reason = "the API names it"))]
    served: Option<String>,
    /// Page of a viewer of that server.
    #[cfg(all(feature = "api", feature = "rerun"))]
    page: Option<becomingone_rerun::viewer::WebViewer>,
}

impl Viewer {
    const fn none() -> Self {
        Self {
            #[cfg(feature = "rerun")]
            to: None,
            served: None,
            #[cfg(all(feature = "api", feature = "rerun"))]
            page: None,
        }
    }

    /// Starts a page of a viewer of the server for viewers, if there is one, and `rerun` is installed.
    #[cfg(all(feature = "api", feature = "rerun"))]
    pub(super) fn open_page(&mut self) {
        use becomingone_rerun::viewer::{WebViewer, installed};
        if let Some(url) = &self.served
            && let Ok(program) = installed()
        {
            match WebViewer::spawn(&program, url) {
                Ok(page) => self.page = Some(page),
                Err(error) => print_err!("warning: no web viewer: {error}"),
            }
        }
    }

    /// Address of that page.
    #[cfg(all(feature = "api", feature = "rerun"))]
    pub(super) fn page(&self) -> Option<&str> {
        self.page.as_ref().map(|page| page.page())
    }

    #[cfg(all(feature = "api", not(feature = "rerun")))]
    pub(super) fn open_page(&mut self) {}

    #[cfg(all(feature = "api", not(feature = "rerun")))]
    pub(super) fn page(&self) -> Option<&str> {
        None
    }

    /// Address of the server for viewers, if there is one.
    #[cfg(feature = "api")]
    pub(super) fn served(&self) -> Option<&str> {
        self.served.as_deref()
    }

    /// Opens the output.
    #[cfg(feature = "rerun")]
    pub(super) fn begin(
        wanted: &Rerun,
        engine: &mut CoherenceEngine,
        scene: &str,
    ) -> Result<Self, Failure> {
        use becomingone_rerun::{RerunError, RerunPlugin, Sink, viewer};
        use becomingone_systems::output_file::{is_busy, numbered};
        let (sink, mut file) = match wanted {
            Rerun::Off => return Ok(Self::none()),
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
        let first = file.clone().filter(|_| *wanted == Rerun::Auto);
        let mut opened = RerunPlugin::new(sink, scene);
        for number in 2..=MAX_NUMBER {
            // A recording whose name was not requested gets another one.
            match (&opened, &first) {
                (Err(RerunError::File { cause, .. }), Some(first)) if is_busy(cause) => {
                    let other = numbered(first, number);
                    opened = RerunPlugin::new(Sink::File(other.clone()), scene);
                    file = Some(other);
                }
                _ => break,
            }
        }
        if opened.is_ok()
            && let (Some(first), Some(file)) = (&first, &file)
            && first != file
        {
            print_renamed(first, file);
        }
        let plugin = match opened {
            Ok(plugin) => plugin,
            // The file is a fallback: not an error.
            Err(error) if *wanted == Rerun::Auto => {
                print_err!("warning: {error}; running without a recording");
                return Ok(Self::none());
            }
            Err(error) => return Err(Failure::BadInput(error.to_string())),
        };
        if matches!(wanted, Rerun::Serve(_))
            && let Some(url) = plugin.url()
        {
            print_out!(
                "serving viewers until the run ends; to view it:\n    {}\n",
                viewer::attach_command(url)
            );
        }
        let served = plugin.url().filter(|_| matches!(wanted, Rerun::Serve(_)));
        let served = served.map(str::to_owned);
        engine.add_plugin(plugin);
        Ok(Self {
            to: Some(file.map(|f| (viewer::open_command(&f), f))),
            served,
            #[cfg(feature = "api")]
            page: None,
        })
    }

    /// Opens nothing: this binary has no Rerun.
    #[cfg(not(feature = "rerun"))]
    pub(super) fn begin(
        wanted: &Rerun,
        _engine: &mut CoherenceEngine,
        _scene: &str,
    ) -> Result<Self, Failure> {
        match wanted {
            Rerun::Auto | Rerun::Off => Ok(Self::none()),
            _ => Err(Failure::BadInput(
                "this binary was built without Rerun; expected --rerun off, or a build with --features rerun".to_owned(),
            )),
        }
    }

    /// Closes the output. Returns whether a file, if there is one, was written to its end.
    #[cfg(feature = "rerun")]
    pub(super) fn end(self, engine: &mut CoherenceEngine, stopped: bool, quiet: bool) -> bool {
        let Some(to) = self.to else { return true };
        // A stopped run ends within two seconds; the recording takes the other one. A finished one waits for the disk.
        let wait = to.is_some() && !stopped;
        let limit = Duration::from_secs(if wait { 60 } else { 1 });
        let report = becomingone_rerun::finish(engine.world_mut(), limit);
        let lost = |report: &becomingone_rerun::Report| {
            let (dropped, all) = (report.dropped, report.dropped + report.sent);
            let why = report.lost.as_ref();
            let why = why.map_or(String::new(), |why| format!("; {why}"));
            format!("Rerun lost {dropped} of {all} batches{why}")
        };
        let failed = report.as_ref().filter(|r| r.lost.is_some());
        let is_whole = to.is_none() || failed.is_none();
        match (&to, failed, &report) {
            (Some((_, file)), Some(report), _) => {
                let file = file.display();
                print_err!(
                    "error: the recording {file} is incomplete: {}",
                    lost(report)
                );
            }
            (_, _, Some(report)) if report.dropped > 0 || report.lost.is_some() => {
                print_err!("warning: {}", lost(report));
            }
            _ => {}
        }
        if let Some((command, file)) = to
            && is_whole
            && !quiet
        {
            print_out!("recorded {}; to view it:\n    {command}\n", file.display());
        }
        is_whole
    }

    #[cfg(not(feature = "rerun"))]
    pub(super) fn end(self, _engine: &mut CoherenceEngine, _stopped: bool, _quiet: bool) -> bool {
        true
    }
}

/// Starts a viewer if there is a display and a viewer installed; returns its address.
#[cfg(feature = "rerun")]
fn open_viewer() -> Option<String> {
    use becomingone_rerun::viewer;
    let program = viewer::find().ok()?;
    match viewer::spawn(&program) {
        Ok(viewer) => Some(viewer.url),
        Err(error) => {
            print_err!("warning: {error}; saving to a file instead");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_rerun_are_parsed() {
        let parse = |text: &str| super::parse(OsStr::new(text));
        assert_eq!(parse("spawn"), Ok(Rerun::Spawn));
        assert_eq!(parse("save=a=b.rrd"), Ok(Rerun::Save("a=b.rrd".into())));
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

//! Which server is asked.

use crate::failure::Failure;
use becomingone_api::{Found, folder, found};

/// The server at this address, else the only one of this user; none where there is none.
pub(crate) fn choose(at: Option<&str>) -> Result<Option<Found>, Failure> {
    let folder = folder().map_err(Failure::Run)?;
    let runs = found(&folder).map_err(Failure::Run)?;
    let listed = || {
        let runs = runs.iter().map(|run| match run.scene.as_str() {
            "" => format!("{} (several runs)", run.url),
            scene => format!("{} ({scene})", run.url),
        });
        runs.collect::<Vec<_>>().join(", ")
    };
    match (at, runs.as_slice()) {
        (None, [run]) => Ok(Some(run.clone())),
        (None, []) => Ok(None),
        (None, _) => Err(Failure::BadInput(format!(
            "found more than one run; expected --at with one of {}",
            listed()
        ))),
        (Some(url), _) => {
            let url = url.trim_end_matches('/');
            let known = runs.iter().find(|run| run.url == url).cloned();
            Ok(Some(known.unwrap_or_else(|| Found {
                url: url.to_owned(),
                process: 0,
                scene: String::new(),
                token_file: None,
            })))
        }
    }
}

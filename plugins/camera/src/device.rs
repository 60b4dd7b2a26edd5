//! Cameras of a Linux machine (V4L2), which give JPEG.

#![expect(
    clippy::disallowed_methods,
    reason = "an I/O thread bounds its waits by the wall clock"
)]

use crate::multipart::MAX_PICTURE;
use crate::sinks::{Raw, Sinks};
use becomingone_systems::links::document::Refusal;
use becomingone_systems::links::{Context, Driver, DriverError, SensorEnd};
use linuxvideo::format::{PixFormat, PixelFormat};
use linuxvideo::stream::ReadStream;
use linuxvideo::{BufType, Fract};
use std::io;
use std::time::{Duration, Instant};

/// Time between two looks for a picture.
const LOOK: Duration = Duration::from_millis(4);

/// A camera.
pub(crate) struct Device {
    path: String,
    size: [Option<u32>; 2],
    fps: Option<u32>,
    timeout: Duration,
    sinks: Sinks,
}

impl Device {
    pub(crate) fn new(
        path: String,
        size: [Option<u32>; 2],
        fps: Option<u32>,
        timeout: Duration,
        sinks: Sinks,
    ) -> Self {
        Self {
            path,
            size,
            fps,
            timeout,
            sinks,
        }
    }

    /// Opens it, with the nearest size and rate that it has.
    fn open(&self) -> Result<ReadStream, String> {
        let failed = |error: io::Error| error.to_string();
        let device = linuxvideo::Device::open(&self.path).map_err(failed)?;
        let formats: io::Result<Vec<PixelFormat>> = device
            .formats(BufType::VIDEO_CAPTURE)
            .map(|format| Ok(format?.pixel_format()))
            .collect();
        let formats = formats.map_err(failed)?;
        let format = [PixelFormat::MJPG, PixelFormat::JPEG]
            .into_iter()
            .find(|format| formats.contains(format))
            .ok_or_else(|| {
                format!(
                    "found a camera with the formats {formats:?}; expected one with MJPG or JPEG"
                )
            })?;
        let [width, height] = self.size.map(|n| n.unwrap_or(u32::MAX));
        let capture = device.video_capture(PixFormat::new(width, height, format));
        let capture = capture.map_err(failed)?;
        if let Some(fps) = self.fps {
            let rate = capture.set_frame_interval(Fract::new(1, fps.max(1)));
            rate.map_err(failed)?;
        }
        capture.into_stream().map_err(failed)
    }

    /// Takes the newest picture that is there.
    fn newest(&mut self, stream: &mut ReadStream, clock: &SensorEnd) -> io::Result<Option<Raw>> {
        let mut newest = None;
        while !stream.will_block()? {
            let arrival_ns = clock.now_ns();
            let read = stream.dequeue(|buffer| {
                let fits = !buffer.is_error() && buffer.len() <= MAX_PICTURE;
                Ok(fits.then(|| buffer.to_vec()))
            })?;
            let Some(bytes) = read else {
                self.sinks.refuse(&Refusal {
                    kind: "broken",
                    reason: "found a picture that the camera marks as broken, or a too large one"
                        .to_owned(),
                });
                continue;
            };
            let raw = Raw {
                bytes,
                arrival_ns,
                stamp_ns: None,
            };
            if newest.replace(raw).is_some() {
                self.sinks.lose(1);
            }
        }
        Ok(newest)
    }
}

impl Driver for Device {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let Some(clock) = self.sinks.clock() else {
            return Ok(());
        };
        let mut stream = self.open().map_err(DriverError)?;
        self.sinks.begin_session();
        let mut last = Instant::now();
        while !context.wait(LOOK) {
            let newest = self.newest(&mut stream, &clock);
            if let Some(raw) = newest.map_err(|error| DriverError(error.to_string()))? {
                match self.sinks.take(raw) {
                    Ok(()) => {
                        last = Instant::now();
                        context.up();
                    }
                    Err(refusal) => self.sinks.refuse(&refusal),
                }
            }
            if last.elapsed() > self.timeout {
                let timeout = self.timeout.as_secs_f64();
                return Err(DriverError(format!("no picture within {timeout} s")));
            }
        }
        self.sinks.report();
        Ok(())
    }
}

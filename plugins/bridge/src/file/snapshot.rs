//! A file that holds the present state as a whole: read anew after each change.

use super::tail::is_there;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Largest file (bytes).
const MAX_STATE: usize = 1 << 20;
/// Age of a change from which on stamps of files have moved on: a kernel's tick is at most 10 ms.
const SETTLED: Duration = Duration::from_millis(100);

pub(crate) struct Snapshot {
    path: PathBuf,
    last: Option<(SystemTime, Vec<u8>)>,
    /// Files of the kernel have no stamps of changes: each look is a reading.
    is_kernels: bool,
}

impl Snapshot {
    pub(crate) fn new(path: PathBuf) -> Self {
        let real = fs::canonicalize(&path).unwrap_or_default();
        Self {
            is_kernels: ["/sys", "/proc"].iter().any(|of| real.starts_with(of)),
            path,
            last: None,
        }
    }

    /// The content, if it is new; whether the file is there.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or is larger than 1 MB.
    pub(crate) fn poll(&mut self, now: SystemTime) -> io::Result<(Option<&[u8]>, bool)> {
        let (modified, bytes) = match read(&self.path, |modified| self.is_old(modified, now)) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok((None, true)),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((None, false)),
            Err(error) => return Err(error),
        };
        let before = self.last.replace((modified, bytes));
        let Some((_, bytes)) = &self.last else {
            return Ok((None, true));
        };
        let is_same = before.is_some_and(|before| before == (modified, bytes.clone()));
        Ok((
            (self.is_kernels || !is_same).then_some(bytes.as_slice()),
            true,
        ))
    }

    fn is_old(&self, modified: SystemTime, now: SystemTime) -> bool {
        let is_settled = now.duration_since(modified).is_ok_and(|age| age > SETTLED);
        let is_known = self
            .last
            .as_ref()
            .is_some_and(|(last, _)| *last == modified);
        !self.is_kernels && is_settled && is_known
    }
}

/// Stamp and content of a file that is not old; none of an old one.
fn read(
    path: &Path,
    is_old: impl Fn(SystemTime) -> bool,
) -> io::Result<Option<(SystemTime, Vec<u8>)>> {
    if !is_there(path)? {
        return Err(ErrorKind::NotFound.into());
    }
    let file = File::open(path)?;
    let modified = file.metadata()?.modified()?;
    if is_old(modified) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(MAX_STATE as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_STATE {
        return Err(io::Error::other(format!(
            "found more than {MAX_STATE} bytes; expected the present state, or `follow: true` for a file of lines"
        )));
    }
    Ok(Some((modified, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(snapshot: &mut Snapshot, now: SystemTime) -> Option<String> {
        let (bytes, _) = snapshot.poll(now).unwrap();
        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    #[test]
    fn each_content_is_read_once_also_within_one_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut snapshot = Snapshot::new(path.clone());
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(snapshot.poll(at).unwrap(), (None, false));
        let write = |text: &str, modified| {
            fs::write(&path, text).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(modified).unwrap();
        };
        write("1", at);
        assert_eq!(content(&mut snapshot, at).as_deref(), Some("1"));
        assert_eq!(content(&mut snapshot, at), None);
        write("2", at);
        assert_eq!(content(&mut snapshot, at).as_deref(), Some("2"));
        // The same content with another stamp is another reading.
        write("2", at + Duration::from_secs(1));
        assert_eq!(content(&mut snapshot, at).as_deref(), Some("2"));
        fs::write(&path, vec![b'1'; MAX_STATE + 1]).unwrap();
        assert!(snapshot.poll(at).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_of_the_kernel_is_read_at_each_look() {
        let mut snapshot = Snapshot::new("/proc/uptime".into());
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert!(content(&mut snapshot, later).is_some());
        assert!(content(&mut snapshot, later).is_some());
    }
}

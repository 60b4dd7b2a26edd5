use super::*;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("becomingone-{name}-{}", process::id()));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_recording_is_locked_until_it_is_closed() {
    let folder = folder("lock");
    let path = folder.join("o.mcap");
    fs::write(&path, "an older one").unwrap();
    let mut first = create_locked(&path).unwrap();
    first.write_all(b"first").unwrap();
    let second = create_locked(&path).unwrap_err();
    assert!(is_busy(&second), "{second}");
    assert_eq!(fs::read(&path).unwrap(), b"first");
    drop(first);
    assert_eq!(create_locked(&path).unwrap().metadata().unwrap().len(), 0);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_deleted_recording_is_noticed() {
    let folder = folder("deleted");
    let path = folder.join("o.mcap");
    let file = create_locked(&path).unwrap();
    still_there(&path, &file).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    #[cfg(unix)]
    still_there(&path, &file).unwrap_err();
}

#[test]
fn names_are_numbered_before_the_extension() {
    let numbered = |path: &str| numbered(Path::new(path), 2);
    assert_eq!(numbered("a/robot.rrd"), Path::new("a/robot-2.rrd"));
    assert_eq!(numbered("robot"), Path::new("robot-2"));
}

#[test]
fn an_unfinished_replacement_changes_nothing_and_leaves_nothing() {
    let folder = folder("unfinished");
    let path = folder.join("s.json");
    fs::write(&path, "old").unwrap();
    let mut new = Replacement::begin(&path).unwrap();
    new.write_all(b"new").unwrap();
    drop(new);
    Replacement::check(&path).unwrap();
    Replacement::check(&folder.join("none.json")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    for wrong in [folder.clone(), folder.join("s/"), folder.join("a/b")] {
        Replacement::check(&wrong).unwrap_err();
        replace(&wrong, b"new").unwrap_err();
    }
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn permissions_and_links_are_kept() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = folder("kept");
    let (path, link) = (folder.join("s.json"), folder.join("link"));
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("s.json", &link).unwrap();
    replace(&link, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert!(link.is_symlink());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // A link to a file that does not exist yet.
    let other = folder.join("other");
    symlink("made.json", &other).unwrap();
    replace(&other, b"new").unwrap();
    assert!(other.is_symlink() && folder.join("made.json").is_file());
    replace(Path::new("/dev/null"), b"new").unwrap();
    fs::remove_dir_all(folder).unwrap();
}

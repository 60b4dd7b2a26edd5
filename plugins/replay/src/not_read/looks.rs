//! Formats that are known by more than their first bytes.

/// Whether a text begins with a tag, in letters of either case.
pub(super) fn has_tag(head: &[u8], tag: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let begin = head.trim_ascii_start().get(..tag.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(tag))
}

/// Packets of MAVLink, each behind a stamp of eight bytes (us since 1970, big-endian).
pub(super) fn is_tlog(head: &[u8]) -> bool {
    let packet = |at: usize| -> Option<usize> {
        let stamp = u64::from_be_bytes(*head.get(at..)?.first_chunk()?);
        // 2004 to 2100.
        let is_time = (1_072_915_200_000_000..4_102_444_800_000_000).contains(&stamp);
        let (start, length) = (*head.get(at + 8)?, usize::from(*head.get(at + 9)?));
        let signed = head.get(at + 10).is_some_and(|flags| flags & 1 != 0);
        match start {
            _ if !is_time => None,
            0xfe => Some(at + 8 + 8 + length),
            0xfd => Some(at + 8 + 12 + length + if signed { 13 } else { 0 }),
            _ => None,
        }
    };
    packet(0).is_some_and(|next| head.len() <= next + 10 || packet(next).is_some())
}

/// A pickle of protocol 2 to 5.
pub(super) fn is_pickle(head: &[u8]) -> bool {
    match head {
        [0x80, 4 | 5, 0x95, ..] => true,
        [0x80, 2 | 3, next, ..] => b"}]()cKXGNJMq".contains(next),
        _ => false,
    }
}

/// Lines such as `(1436509052.249713) can0 123#1122`, or ` can0  123   [2]  11 22`.
pub(super) fn is_candump(head: &[u8]) -> bool {
    let line = first_line(head);
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|w| !w.is_empty());
    let is_hex = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_hexdigit);
    let Some(first) = words.next() else {
        return false;
    };
    let stamped = first.starts_with(b"(") && first.ends_with(b")");
    let interface = if stamped { words.next() } else { Some(first) };
    if interface.is_none_or(|i| !i.iter().any(u8::is_ascii_alphabetic)) {
        return false;
    }
    let Some(id) = words.next() else {
        return false;
    };
    match id.iter().position(|b| *b == b'#') {
        Some(at) => stamped && is_hex(&id[..at]),
        None => {
            is_hex(id)
                && words
                    .next()
                    .is_some_and(|n| n.starts_with(b"[") && n.ends_with(b"]"))
        }
    }
}

/// Lines such as `$GPGGA,123519,4807.038,N,..*47`.
pub(super) fn is_nmea(head: &[u8]) -> bool {
    let line = first_line(head);
    let star = line.len().checked_sub(3);
    (line.starts_with(b"$") || line.starts_with(b"!"))
        && line.get(6) == Some(&b',')
        && line[1..6].iter().all(u8::is_ascii_alphanumeric)
        && star
            .is_some_and(|at| line[at] == b'*' && line[at + 1..].iter().all(u8::is_ascii_hexdigit))
}

/// First line that is not empty.
fn first_line(head: &[u8]) -> &[u8] {
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

//! A file as the answer to a request, or a part of it (RFC 9110, section 14): a download goes on where it was cut off.

use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_range_header::parse_range_header;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Bytes that are read at once, and how often ahead of the client.
const PIECE: usize = 256 << 10;
const AHEAD: usize = 2;

/// The file, or its first range.
pub(super) async fn file(path: PathBuf, headers: &HeaderMap) -> Result<Response, Problem> {
    let range = headers.get(header::RANGE).cloned();
    let opened = tokio::task::spawn_blocking(move || {
        let file = File::open(&path)?;
        let bytes = file.metadata()?.len();
        Ok::<_, std::io::Error>((file, bytes))
    });
    let opened = opened
        .await
        .map_err(|e| Problem::unavailable(e.to_string()))?;
    let (mut file, bytes) = opened.map_err(|e| Problem::unavailable(e.to_string()))?;
    // What is no range of bytes is no range: the whole file is the answer.
    let range = range.as_ref().and_then(|range| range.to_str().ok());
    let range = range.filter(|range| range.starts_with("bytes="));
    let (status, from, to) = match range {
        None => (StatusCode::OK, 0, bytes),
        Some(text) => {
            let ranges = parse_range_header(text).ok();
            let ranges = ranges.and_then(|ranges| ranges.validate(bytes).ok());
            let ranges = ranges.filter(|_| bytes > 0);
            let Some(range) = ranges.and_then(|ranges| ranges.into_iter().next()) else {
                let unsatisfied = [(header::CONTENT_RANGE, format!("bytes */{bytes}"))];
                return Ok((StatusCode::RANGE_NOT_SATISFIABLE, unsatisfied).into_response());
            };
            (StatusCode::PARTIAL_CONTENT, *range.start(), range.end() + 1)
        }
    };
    let (pieces, stream) = mpsc::channel::<std::io::Result<Bytes>>(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut left = to - from;
        let mut sought = file.seek(SeekFrom::Start(from)).map(drop);
        while left > 0 {
            let piece = sought.and_then(|()| {
                let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
                file.read_exact(&mut piece)?;
                Ok(Bytes::from(piece))
            });
            left -= piece.as_ref().map_or(left, |piece| piece.len() as u64);
            sought = Ok(());
            // The client may be gone.
            if pieces.blocking_send(piece).is_err() {
                return;
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CONTENT_LENGTH, (to - from).to_string()),
    ];
    let body = Body::from_stream(ReceiverStream::new(stream));
    let mut response = (status, headers, body).into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let part = format!("bytes {from}-{}/{bytes}", to - 1);
        let part = part
            .parse()
            .map_err(|_| Problem::unavailable("no header"))?;
        response.headers_mut().insert(header::CONTENT_RANGE, part);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[test]
    fn a_file_is_given_whole_or_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mcap");
        let content: Vec<u8> = (0..600_000_u32).map(|k| k as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let ask = |range: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(range) = range {
                headers.insert(header::RANGE, range.parse().unwrap());
            }
            runtime.block_on(async {
                let response = file(path.clone(), &headers).await.unwrap();
                let status = response.status().as_u16();
                let part = response.headers().get(header::CONTENT_RANGE).cloned();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                (status, part.map(|p| p.to_str().unwrap().to_owned()), body)
            })
        };
        let (status, part, body) = ask(None);
        assert_eq!((status, part, &body[..]), (200, None, &content[..]));
        let (status, part, body) = ask(Some("bytes=599000-"));
        assert_eq!((status, &body[..]), (206, &content[599_000..]));
        assert_eq!(part.unwrap(), "bytes 599000-599999/600000");
        assert_eq!(ask(Some("bytes=-10")).2, content[599_990..]);
        assert_eq!(ask(Some("bytes=600000-")).0, 416);
        assert_eq!(ask(Some("pages=1-2")).0, 200);
    }
}

//! The run that a call is for: field 1 of every message of a client, read before the call is handed on.

use super::bounds::MAX_MESSAGE;
use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use http_body_util::BodyExt as _;
use prost::encoding::{WireType, decode_key, decode_varint, skip_field};
use std::time::Duration;
use tokio_stream::StreamExt as _;

/// Longest time in which the first message has to be there.
const WITHIN: Duration = Duration::from_secs(5);
/// Bytes before a message: whether it is compressed, and its length.
const HEAD: usize = 5;

/// A call whose client sends one message, with all of it.
pub(super) async fn whole(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let body = http_body_util::Limited::new(body, HEAD + MAX_MESSAGE).collect();
    let body = tokio::time::timeout(WITHIN, body).await;
    let body = body
        .map_err(|_| Problem::bad(format!("expected a message within {} s", WITHIN.as_secs())))?;
    let body = body.map_err(|_| {
        Problem::bad(format!(
            "expected one message of at most {MAX_MESSAGE} bytes"
        ))
    })?;
    Ok(Request::from_parts(parts, Body::from(body.to_bytes())))
}

/// The run that the first message names, if it names one, and the request as it was.
pub(super) async fn run_of(request: Request) -> Result<(Option<String>, Request), Problem> {
    let (parts, body) = request.into_parts();
    let mut rest = body.into_data_stream();
    let mut first = Vec::new();
    let read = async {
        while !is_whole(&first)? {
            match rest.next().await {
                Some(Ok(bytes)) => first.extend_from_slice(&bytes),
                Some(Err(_)) | None => return Err(Problem::bad("found a call that ends early")),
            }
        }
        Ok(())
    };
    tokio::time::timeout(WITHIN, read)
        .await
        .map_err(|_| Problem::bad(format!("expected a message within {} s", WITHIN.as_secs())))??;
    let message = first.get(HEAD..HEAD + length(&first).unwrap_or(0));
    let run = named(message.unwrap_or_default())?;
    let first = tokio_stream::once(Ok(Bytes::from(first)));
    let body = Body::from_stream(first.chain(rest));
    Ok((run, Request::from_parts(parts, body)))
}

/// Length of the first message, if it is there.
fn length(bytes: &[u8]) -> Option<usize> {
    let [_, length @ ..] = *bytes.first_chunk::<HEAD>()?;
    Some(u32::from_be_bytes(length) as usize)
}

/// Whether the first message is whole; one that is too long is refused.
fn is_whole(bytes: &[u8]) -> Result<bool, Problem> {
    match length(bytes) {
        None => Ok(false),
        Some(length) if length <= MAX_MESSAGE => Ok(bytes.len() >= HEAD + length),
        Some(length) => Err(Problem::bad(format!(
            "found a message of {length} bytes; expected at most {MAX_MESSAGE}"
        ))),
    }
}

/// Field 1 of a message, which is a text.
fn named(mut message: &[u8]) -> Result<Option<String>, Problem> {
    let wrong = |e: prost::DecodeError| Problem::bad(e.to_string());
    let mut run = None;
    while !message.is_empty() {
        let (field, kind) = decode_key(&mut message).map_err(wrong)?;
        if (field, kind) == (1, WireType::LengthDelimited) {
            let length = decode_varint(&mut message).map_err(wrong)?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let text = message.get(..length);
            let text = text.ok_or_else(|| Problem::bad("found a message that ends early"))?;
            run = Some(String::from_utf8_lossy(text).into_owned());
            message = &message[length..];
        } else {
            let context = prost::encoding::DecodeContext::default();
            skip_field(kind, field, &mut message, context).map_err(wrong)?;
        }
    }
    Ok(run.filter(|run| !run.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: Vec<u8>) -> Result<(Option<String>, Vec<u8>), Problem> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (run, request) = run_of(Request::new(Body::from(bytes))).await?;
            let rest = request.into_body().collect().await.unwrap().to_bytes();
            Ok((run, rest.to_vec()))
        })
    }

    #[test]
    fn the_run_is_read_and_the_call_is_as_it_was() {
        // run = "yard", agent = "a"; then a second message.
        let mut call = vec![0, 0, 0, 0, 9];
        call.extend(b"\x0a\x04yard\x12\x01a");
        call.extend([0, 0, 0, 0, 0]);
        assert_eq!(read(call.clone()).unwrap(), (Some("yard".to_owned()), call));
        assert_eq!(read(vec![0; 5]).unwrap().0, None);
        assert_eq!(read(vec![0, 0, 0, 0, 9, 1]).unwrap_err().status, 400);
        assert_eq!(read(vec![0, 255, 0, 0, 0]).unwrap_err().status, 400);
    }

    proptest! {
        #[test]
        fn any_bytes_are_handed_on_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut call = vec![0, 0, 0, 0, bytes.len() as u8];
            call.extend(&bytes);
            if let Ok((_, rest)) = read(call.clone()) {
                prop_assert_eq!(rest, call);
            }
        }
    }
}

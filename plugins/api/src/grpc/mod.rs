//! gRPC, on the same port: the operations of `/v1`, asked through them. A message becomes JSON, and its answer a message.
//!
//! - `message`: descriptions of messages, and messages as JSON. `codec`: messages on the wire.
//! - `first`: the run that a call is for.
//! - `bounds`: of messages and streams.
//! - `operations`: which operation asks which resource. `watch`: views and events as they come.

mod bounds;
mod codec;
mod first;
mod message;
mod operations;
mod watch;

use crate::ask::Ask;
use crate::gate::{self, Gate};
use crate::problem::Problem;
use crate::server::Server;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{any_service, post};
use bounds::{MAX_MESSAGE, Updates, WAITING};
use codec::Dynamic;
use message::Messages;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Code, Status, Streaming};

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let code = match problem.status {
            401 => Code::Unauthenticated,
            403 | 421 => Code::PermissionDenied,
            404 => Code::NotFound,
            409 => Code::FailedPrecondition,
            429 => Code::ResourceExhausted,
            503 => Code::Unavailable,
            400..=499 => Code::InvalidArgument,
            _ => Code::Internal,
        };
        Self::new(code, problem.detail)
    }
}

/// What all calls have in common.
#[derive(Clone)]
struct Engine {
    ask: Ask,
    server: Arc<Server>,
    messages: Messages,
}

/// A call of an operation.
#[derive(Clone)]
struct Call {
    engine: Engine,
    method: MethodDescriptor,
}

type Answering<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, Status>> + Send>>;

fn caller(metadata: MetadataMap) -> HeaderMap {
    metadata.into_headers()
}

impl UnaryService<DynamicMessage> for Call {
    type Response = DynamicMessage;
    type Future = Answering<DynamicMessage>;

    fn call(&mut self, request: tonic::Request<DynamicMessage>) -> Self::Future {
        let Self { engine, method } = self.clone();
        Box::pin(async move {
            let (metadata, _, message) = request.into_parts();
            let caller = caller(metadata);
            let asked = message::to_json(&message).map_err(Problem::bad)?;
            let question = operations::question(method.name(), asked)?;
            let answer = engine.ask.ask(&caller, question).await?;
            let answer = message::from_json(method.output(), answer);
            Ok(tonic::Response::new(answer.map_err(Status::internal)?))
        })
    }
}

impl ServerStreamingService<DynamicMessage> for Call {
    type Response = DynamicMessage;
    type ResponseStream = Updates;
    type Future = Answering<Updates>;

    fn call(&mut self, request: tonic::Request<DynamicMessage>) -> Self::Future {
        let Self { engine, method } = self.clone();
        Box::pin(async move {
            let (metadata, _, message) = request.into_parts();
            engine.server.gate.knows(&caller(metadata))?;
            let asked = message::to_json(&message).map_err(Problem::bad)?;
            let updates = watch::updates(engine.server, asked, method.output())?;
            Ok(tonic::Response::new(updates))
        })
    }
}

impl StreamingService<DynamicMessage> for Call {
    type Response = DynamicMessage;
    type ResponseStream = Updates;
    type Future = Ready<Result<tonic::Response<Updates>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<DynamicMessage>>) -> Self::Future {
        let Self { engine, method } = self.clone();
        let (metadata, _, mut commands) = request.into_parts();
        let caller = caller(metadata);
        if let Err(problem) = engine.server.gate.knows(&caller) {
            return ready(Err(problem.into()));
        }
        let (answers, stream) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            loop {
                let command = match commands.message().await {
                    Ok(Some(command)) => command,
                    Ok(None) => return,
                    Err(error) => {
                        let _ = answers.send(Err(error)).await;
                        return;
                    }
                };
                let answer = engine.commanded(&caller, &command).await;
                let answer = message::from_json(method.output(), answer);
                let answer = answer.map_err(Status::internal);
                // A client that is gone takes no answer, and gives no command.
                if answers.send(answer).await.is_err() {
                    return;
                }
            }
        });
        ready(Ok(tonic::Response::new(ReceiverStream::new(stream))))
    }
}

impl Engine {
    /// The answer to a command of a stream, as JSON of an `Answer`.
    async fn commanded(&self, caller: &HeaderMap, command: &DynamicMessage) -> serde_json::Value {
        let question = message::to_json(command)
            .map_err(Problem::bad)
            .and_then(|asked| operations::question("Command", asked));
        let answer = match question {
            Ok(question) => self.ask.ask(caller, question).await,
            Err(problem) => Err(problem),
        };
        match answer {
            Ok(accepted) => serde_json::json!({ "accepted": accepted }),
            Err(problem) => serde_json::json!({ "problem": problem }),
        }
    }

    async fn serve(self, request: Request) -> Response {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default();
        let method = self.messages.service.methods().find(|m| m.name() == name);
        let Some(method) = method else {
            let unknown = Status::unimplemented(format!("found no operation `{name}`"));
            return unknown.into_http::<tonic::body::Body>().map(Body::new);
        };
        let streams = (method.is_client_streaming(), method.is_server_streaming());
        // Who asks is looked at before anything is read of it; the rate is that of the resource.
        if let Err(problem) = self.server.gate.caller(request.headers(), true) {
            return refusal(problem);
        }
        gate::know(request.extensions());
        let request = match method.is_client_streaming() {
            true => request,
            false => match first::whole(request).await {
                Ok(request) => request,
                Err(problem) => return refusal(problem),
            },
        };
        let codec = Dynamic(method.input());
        let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_MESSAGE);
        let call = Call {
            engine: self,
            method,
        };
        let response = match streams {
            (false, false) => grpc.unary(call, request).await,
            (false, true) => grpc.server_streaming(call, request).await,
            (true, _) => grpc.streaming(call, request).await,
        };
        response.map(Body::new)
    }
}

fn refusal(problem: Problem) -> Response {
    let status = Status::from(problem);
    status.into_http::<tonic::body::Body>().map(Body::new)
}

/// The operations of a run, and the services by which clients find out what there is.
pub(crate) fn router(ask: Ask, server: Arc<Server>) -> Result<Router, String> {
    let messages = Messages::new()?;
    let described = described(&messages, server.gate.clone())?;
    let path = format!("/{}/{{method}}", messages.service.full_name());
    let engine = Engine {
        ask,
        server,
        messages,
    };
    let call = post(move |request: Request| engine.clone().serve(request));
    Ok(described.route(&path, call))
}

/// The same of several runs: `hand_on` has the answer of the named one, or of the only one.
pub(crate) fn handed_on<F, A>(gate: Arc<Gate>, hand_on: F) -> Result<Router, String>
where
    F: Fn(Option<String>, Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    let messages = Messages::new()?;
    let described = described(&messages, gate.clone())?;
    let path = format!("/{}/{{method}}", messages.service.full_name());
    let call = post(move |request: Request| {
        let (hand_on, gate) = (hand_on.clone(), gate.clone());
        async move {
            if let Err(problem) = gate.caller(request.headers(), true) {
                return refusal(problem);
            }
            gate::know(request.extensions());
            let answer = match first::run_of(request).await {
                Ok((run, request)) => hand_on(run, request).await,
                Err(problem) => Err(problem),
            };
            answer.unwrap_or_else(refusal)
        }
    });
    Ok(described.route(&path, call))
}

/// Reflection, behind the gate, and health, which needs no token.
fn described(messages: &Messages, gate: Arc<Gate>) -> Result<Router, String> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let name = messages.service.full_name().to_owned();
    tokio::spawn(async move {
        let serving = tonic_health::ServingStatus::Serving;
        health.set_service_status(name, serving).await;
    });
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(message::DESCRIPTION)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = described().build_v1().map_err(|e| e.to_string())?;
    let v1alpha = described().build_v1alpha().map_err(|e| e.to_string())?;
    let known = axum::middleware::from_fn_with_state(gate, gate::known);
    Ok(Router::new()
        .route(
            "/grpc.reflection.v1.ServerReflection/{method}",
            any_service(v1),
        )
        .route(
            "/grpc.reflection.v1alpha.ServerReflection/{method}",
            any_service(v1alpha),
        )
        .layer(known)
        .route(
            "/grpc.health.v1.Health/{method}",
            any_service(health_service),
        ))
}

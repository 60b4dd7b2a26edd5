//! What there is to read: scenes, recordings, the description of the resources, the guide.

use super::session::Mcp;
use crate::question::{Question, part};
use rmcp::model::{
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;

/// Kind of a picture.
const PNG: &str = "image/png";
const SCHEME: &str = "becomingone://";

/// Pages of the guide, by name.
const GUIDE: [(&str, &str); 1] = [("api", include_str!("../../README.md"))];

fn entry(path: &str, name: &str, about: &str, kind: &str) -> Resource {
    Resource::new(format!("{SCHEME}{path}"), name.to_owned())
        .with_description(about)
        .with_mime_type(kind)
}

/// All that there is now.
pub(super) async fn list(mcp: &Mcp, context: &RequestContext<RoleServer>) -> Vec<Resource> {
    let mut all = vec![
        entry(
            "openapi.json",
            "openapi",
            "Description of the resources below /v1.",
            "application/json",
        ),
        entry(
            "agents",
            "agents",
            "All agents at the end of a tick.",
            "application/json",
        ),
        entry(
            "sensors",
            "sensors",
            "All sensors: names and units of their numbers.",
            "application/json",
        ),
        entry(
            "picture",
            "picture",
            "The run as it is now, from above and behind: agents, obstacles, goals, scans.",
            PNG,
        ),
        entry(
            "places",
            "places",
            "Places of the scene.",
            "application/json",
        ),
    ];
    let guide = GUIDE.iter();
    all.extend(guide.map(|(name, _)| {
        entry(
            &format!("guide/{name}"),
            name,
            "A page of the guide.",
            "text/markdown",
        )
    }));
    // A server of one run has none.
    let scenes = mcp.asked(context, Question::get("/v1/scenes")).await;
    let scenes = scenes.unwrap_or_default();
    let scenes = scenes["scenes"].as_array().into_iter().flatten();
    all.extend(scenes.filter_map(|scene| {
        let name = scene["scene"].as_str()?;
        let about = scene["about"].as_str().unwrap_or("A scene.");
        Some(entry(
            &format!("scenes/{}", part(name)),
            name,
            about,
            "text/plain",
        ))
    }));
    all
}

/// Addresses with a part to fill in.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = |path: &str, name: &str, about: &str| {
        ResourceTemplate::new(format!("{SCHEME}{path}"), name).with_description(about)
    };
    vec![
        template("scenes/{scene}", "scene", "Text of a scene."),
        template(
            "scenes/{scene}/resolved",
            "resolved scene",
            "A scene as it runs: defaults filled in.",
        ),
        template(
            "recordings/{recording}/info",
            "recording",
            "What a recording contains.",
        ),
        template(
            "sensors/{agent}/{sensor}",
            "sensor",
            "The latest reading of a sensor.",
        ),
    ]
}

/// Reads a resource.
pub(super) async fn read(
    mcp: &Mcp,
    uri: &str,
    context: &RequestContext<RoleServer>,
) -> Result<ReadResourceResponse, ErrorData> {
    let missing = || ErrorData::resource_not_found(format!("found no resource {uri}"), None);
    let path = uri.strip_prefix(SCHEME).ok_or_else(missing)?;
    let is_known = ["openapi.json", "agents", "places", "picture"].contains(&path)
        || path == "sensors"
        || ["scenes/", "sensors/"]
            .iter()
            .any(|folder| path.starts_with(folder))
        // Not the files themselves, which are large and no text.
        || path.starts_with("recordings/") && path.ends_with("/info");
    let page = path.strip_prefix("guide/");
    let content = match page {
        Some(page) => {
            let found = GUIDE.iter().find(|(name, _)| *name == page);
            let (_, text) = found.ok_or_else(missing)?;
            Value::from(*text)
        }
        None if is_known && !path.contains("..") => {
            mcp.asked(context, Question::get(format!("/v1/{path}")))
                .await?
        }
        None => return Err(missing()),
    };
    if path == "picture" {
        let picture = content.as_str().unwrap_or_default();
        let contents = ResourceContents::blob(picture, uri).with_mime_type(PNG);
        return Ok(ReadResourceResult::new(vec![contents]).into());
    }
    let (text, kind) = match content {
        Value::String(text) if page.is_some() => (text, "text/markdown"),
        Value::String(text) => (text, "text/plain"),
        content => (content.to_string(), "application/json"),
    };
    let contents = ResourceContents::text(text, uri).with_mime_type(kind);
    Ok(ReadResourceResult::new(vec![contents]).into())
}

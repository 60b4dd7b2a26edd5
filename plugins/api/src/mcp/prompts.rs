//! Questions that a person may choose.

use rmcp::ErrorData;
use rmcp::model::{
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, Prompt, PromptMessage, Role,
};

/// Name, description, text.
const ALL: [(&str, &str, &str); 3] = [
    (
        "what_is_wrong",
        "Find out what is wrong with the machine, and why.",
        "Call `status` and `diagnose`. If there is an alarm, call `explain_event` for the event that began it. Say in three \
         sentences: what is wrong and since when, which sensor or drive is faulty and by which figures (with units and tick), \
         what to check on the machine first. If nothing is wrong, say so, and by which figures you know.",
    ),
    (
        "drive_safely",
        "Move the machine step by step, with a person's approval.",
        "Ask me where the machine is to go. Call `status`; refuse if there is an alarm or a latched stop. Ask for a `lease` with \
         the lowest speed that does. Move in small steps with `move` or `go_to`, and call `status` after each: stop at once if \
         an alarm begins, or if it is not where it should be. Release the lease at the end.",
    ),
    (
        "compare_runs",
        "Run a scene twice and compare.",
        "Call `list_scenes`, ask me for one, run it twice with the same seed (`run_scene`), and verify both recordings with `record`. \
         Say whether they are equal, and what you conclude.",
    ),
];

/// All prompts.
pub(super) fn all() -> Vec<Prompt> {
    let prompts = ALL.iter();
    prompts
        .map(|(name, about, _)| Prompt::new(*name, Some(*about), None))
        .collect()
}

/// A prompt by its name.
pub(super) fn get(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let found = ALL.iter().find(|(name, ..)| request.name == *name);
    let Some((_, about, text)) = found else {
        return Err(ErrorData::invalid_params(
            format!("found no prompt `{}`", request.name),
            None,
        ));
    };
    let message = PromptMessage::new_text(Role::User, *text);
    Ok(GetPromptResult::new(vec![message])
        .with_description(*about)
        .into())
}

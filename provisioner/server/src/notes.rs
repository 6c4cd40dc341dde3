//! Boot events become lines of timelines and, where they mean it, knocks.

use std::sync::Arc;

use cairn_contract::Mac;
use cairn_domain::{Event, Fact, Level, Note, Subject};
use cairn_netboot::{BootEvent, BootPart, Severity, What};
use cairn_store::Reporter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Hands on what boot services saw until stopped.
pub(crate) async fn run(
    mut events: mpsc::Receiver<BootEvent>,
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            event = events.recv() => event,
        };
        match event {
            Some(event) => {
                if let Some(fact) = fact(&event) {
                    reporter.observe(fact);
                }
            }
            None => return Ok(()),
        }
    }
}

/// What a boot event means; nothing for the frames of an image, of which there are hundreds.
fn fact(event: &BootEvent) -> Option<Fact> {
    if let What::FileSent { name, .. } | What::SizeAsked { name, .. } = &event.what
        && name.starts_with("artifact ")
    {
        return None;
    }
    let subject = event.who.mac.map_or(Subject::Site, |mac| Subject::Machine {
        mac: Mac(mac.0),
        uuid: event.who.uuid.map(|uuid| uuid.to_string()),
    });
    let level = match event.what.severity() {
        Severity::Normal => Level::Info,
        Severity::Warning => Level::Warn,
        Severity::Failure => Level::Bad,
    };
    let peer = match (event.who.mac, event.who.peer) {
        (None, Some(peer)) => format!("{peer}: "),
        _ => String::new(),
    };
    let advice = event.what.advice().map(|a| format!(". To do: {a}")).unwrap_or_default();
    let note = Note::new(level, event.what.code(), format!("{peer}{}{advice}", event.what));
    Some(Fact { subject, event: is_knock(&event.what).then_some(Event::Knocked), note: Some(note) })
}

fn is_knock(what: &What) -> bool {
    matches!(
        what,
        What::Acked { boot: BootPart::File(_), .. } | What::FileSent { .. } | What::ScriptSent { .. }
    )
}

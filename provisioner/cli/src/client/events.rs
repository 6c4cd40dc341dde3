//! Server-Sent Events, as far as the server sends them (WHATWG HTML §9.2.6): bounded, one event at a time.

use std::time::Duration;

use http_body_util::BodyExt as _;

use super::{CallError, Open};

/// Most bytes of one event; more is an answer that makes no sense.
const MAX_EVENT: usize = 4 << 20;
/// The server sends a comment every 15 s: a stream that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(45);

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    /// Where to go on after it; may be empty.
    pub(crate) id: String,
    pub(crate) data: String,
}

/// A live stream.
pub(crate) struct Events {
    open: Open,
    buffer: Vec<u8>,
}

impl Events {
    pub(super) fn new(open: Open) -> Self {
        Self { open, buffer: Vec::new() }
    }

    /// The next event; `None` when the stream has ended, so that the caller opens another.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, CallError> {
        loop {
            if let Some(event) = take(&mut self.buffer) {
                return Ok(Some(event));
            }
            if self.buffer.len() > MAX_EVENT {
                return Err(CallError::Broken("an event is too long".into()));
            }
            let frame = tokio::time::timeout(SILENCE, self.open.response.body_mut().frame()).await;
            match frame {
                Err(_) | Ok(None) | Ok(Some(Err(_))) => return Ok(None),
                Ok(Some(Ok(frame))) => self.buffer.extend_from_slice(frame.data_ref().map_or(&[], |d| d)),
            }
        }
    }
}

/// Takes the first whole event out of `buffer`; comments are passed over.
fn take(buffer: &mut Vec<u8>) -> Option<Event> {
    loop {
        let end = buffer.windows(2).position(|w| w == b"\n\n")?;
        let block: Vec<u8> = buffer.drain(..end + 2).collect();
        let text = String::from_utf8_lossy(&block);
        let field = |name: &str| {
            let lines = text.lines().filter_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            lines.map(|v| v.strip_prefix(' ').unwrap_or(v)).collect::<Vec<_>>().join("\n")
        };
        let event = Event { name: field("event"), id: field("id"), data: field("data") };
        if !event.data.is_empty() || !event.name.is_empty() {
            return Some(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_come_whole_and_in_order() {
        let mut buffer =
            b": hello\nretry: 2000\n\nevent: entry\nid: 7\ndata: {\"a\":1}\n\nevent: gone\nda".to_vec();
        let event = take(&mut buffer).unwrap();
        assert_eq!(event, Event { name: "entry".into(), id: "7".into(), data: "{\"a\":1}".into() });
        assert_eq!(take(&mut buffer), None);
        buffer.extend_from_slice(b"ta: {}\n\n");
        assert_eq!(take(&mut buffer).unwrap().name, "gone");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_passed_over(mut bytes: Vec<u8>) {
            while take(&mut bytes).is_some() {}
        }
    }
}

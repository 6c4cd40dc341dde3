//! What the demo saw, as `--json` writes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line of the host's timeline.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Entry {
    /// Names the line.
    pub(crate) seq: i64,
    /// Unix time in milliseconds.
    pub(crate) at: i64,
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) level: String,
    /// The state that it led to, if any.
    pub(crate) state: Option<String>,
}

impl Entry {
    /// Seconds since power-on; negative before.
    pub(crate) fn seconds(&self, power_on: i64) -> f64 {
        seconds(self.at.saturating_sub(power_on))
    }
}

/// The whole way.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) host: String,
    /// The last state.
    pub(crate) state: String,
    /// Why it waits for a person, and what to try, if it does.
    pub(crate) why: Option<String>,
    pub(crate) next: Option<String>,
    /// Power-on to the last state.
    pub(crate) seconds: f64,
    pub(crate) phases: Vec<Phase>,
    /// The parts of the installer's work, as it reported them.
    pub(crate) installer: Option<String>,
    pub(crate) timeline: Vec<Told>,
}

/// The time between two states.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Phase {
    /// The state that the host was in.
    pub(crate) state: String,
    /// What it did meanwhile.
    pub(crate) what: String,
    pub(crate) seconds: f64,
}

/// A line, by the clock of the power-on.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    pub(crate) seconds: f64,
    pub(crate) code: String,
    pub(crate) level: String,
    pub(crate) text: String,
    pub(crate) state: Option<String>,
}

impl Record {
    /// From the API's answers.
    pub(crate) fn new(host: &Value, entries: Vec<Entry>, power_on: i64) -> Self {
        let word = |field: &str| host[field].as_str().map(str::to_owned);
        let end = entries.iter().rev().find(|entry| entry.state.is_some()).map_or(power_on, |entry| entry.at);
        let trouble = || {
            let mut bad = entries.iter().rev().filter(|entry| matches!(entry.level.as_str(), "warn" | "bad"));
            bad.next().map(|entry| entry.text.clone())
        };
        let finished = entries.iter().find(|entry| entry.code == "install.finished");
        Self {
            host: word("name").unwrap_or_default(),
            state: word("state").unwrap_or_default(),
            // A host that does not get on without waiting for a person: its last trouble says most.
            why: word("why").or_else(|| if host["state"] == "running" { None } else { trouble() }),
            next: word("next"),
            seconds: seconds(end.saturating_sub(power_on)),
            phases: phases(&entries, power_on),
            installer: finished.and_then(|entry| Some(entry.text.split_once("): ")?.1.to_owned())),
            timeline: entries
                .into_iter()
                .map(|entry| Told {
                    seconds: entry.seconds(power_on),
                    code: entry.code,
                    level: entry.level,
                    text: entry.text,
                    state: entry.state,
                })
                .collect(),
        }
    }
}

/// The stretches between the states, from power-on to the last.
fn phases(entries: &[Entry], power_on: i64) -> Vec<Phase> {
    let turns: Vec<(&str, i64)> =
        entries.iter().filter_map(|entry| Some((entry.state.as_deref()?, entry.at.max(power_on)))).collect();
    let pairs = turns.iter().zip(turns.iter().skip(1));
    pairs
        .map(|((state, from), (_, to))| Phase {
            state: (*state).to_owned(),
            what: meaning(state).to_owned(),
            seconds: seconds(to.saturating_sub(*from)),
        })
        .collect()
}

/// What happens in a state, in words.
fn meaning(state: &str) -> &str {
    match state {
        "registered" => "the firmware starts and asks the network",
        "booting" => "the installer is fetched, measured and starts",
        "attesting" => "TPM, boot and installer prove themselves",
        "installing" => "the image goes onto the disk",
        "first boot" => "reboot, firmware, the installed system proves itself",
        other => other,
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of minutes")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: i64, code: &str, state: Option<&str>) -> Entry {
        let text = "installed on vda (-, serial edge-1): kernel 2.7 s, write 1.8 s".to_owned();
        Entry { seq: at, at, code: code.into(), text, level: "info".into(), state: state.map(str::to_owned) }
    }

    #[test]
    fn a_host_that_does_not_get_on_shows_its_last_trouble() {
        let mut entries =
            vec![entry(1_000, "attest.claimed", Some("attesting")), entry(2_000, "image.none", None)];
        entries[1].level = "warn".into();
        let mut host = serde_json::json!({ "name": "edge-1", "state": "attesting", "why": null });
        let text = entries[1].text.clone();
        assert_eq!(Record::new(&host, entries.clone(), 0).why, Some(text));
        host["why"] = "its TPM is another".into();
        assert_eq!(Record::new(&host, entries.clone(), 0).why.as_deref(), Some("its TPM is another"));
        host = serde_json::json!({ "name": "edge-1", "state": "running" });
        assert_eq!(Record::new(&host, entries, 0).why, None);
    }

    #[test]
    fn phases_begin_at_power_on_and_follow_the_states() {
        let entries = vec![
            entry(1_000, "host.registered", Some("registered")),
            entry(9_000, "dhcp.asked", None),
            entry(26_000, "attest.claimed", Some("attesting")),
            entry(26_100, "attest.proven", Some("installing")),
            entry(28_000, "install.finished", Some("first boot")),
            entry(60_000, "attest.proven", Some("running")),
        ];
        let host = serde_json::json!({ "name": "edge-1", "state": "running", "why": null });
        let record = Record::new(&host, entries, 2_000);
        let took: Vec<f64> = record.phases.iter().map(|phase| phase.seconds).collect();
        assert_eq!(took, [24.0, 0.1, 1.9, 32.0]);
        assert_eq!((record.seconds, record.why), (58.0, None));
        assert_eq!(record.installer.as_deref(), Some("kernel 2.7 s, write 1.8 s"));
        assert_eq!(record.timeline.first().map(|told| told.seconds), Some(-1.0));
    }
}

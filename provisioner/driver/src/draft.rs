//! A change in the making: what one event does to one host, and the lines that tell of it.

use cairn_contract::{InstallId, Timestamp};
use cairn_domain::{
    Effect, Event, Host, Level, Note, Policy, State, Subject,
    host::{Context, Step, step},
};
use cairn_store::{Change, InstallWrite, Line, NewInstall, Whose};

/// One host's change before it is committed.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) change: Change,
    /// Whether the record differs from the stored one; if not, only lines are written.
    pub(crate) touched: bool,
}

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Nothing.
    Not,
    /// At most a deadline.
    InPlace,
    /// To another state, or to the same one for another reason.
    Away,
}

impl Draft {
    pub(crate) fn of(host: Host, at: Timestamp) -> Self {
        Self { change: Change::update(host, at), touched: false }
    }

    pub(crate) fn new_host(host: Host, at: Timestamp) -> Self {
        Self { change: Change::insert(host, at), touched: true }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.change.host
    }

    /// Keeps what an enrolled host tells of its parts.
    pub(crate) fn learn_parts(&mut self, subject: &Subject) {
        if let Subject::Enrolled(_, told) = subject
            && self.change.host.inventory.as_ref() != Some(told.as_ref())
        {
            self.change.host.inventory = Some(told.as_ref().clone());
            self.touched = true;
        }
    }

    /// Moves the host.
    pub(crate) fn step(&mut self, event: &Event, policy: &Policy) -> Moved {
        let change = &mut self.change;
        let cx = Context { host: change.host.id, now: change.at, policy };
        let Step::Move { to, effects } = step(&change.host.state, event, cx) else { return Moved::Not };
        if effects.is_empty() && !is_worth_writing(&change.host.state, &to, change.at) {
            return Moved::InPlace;
        }
        let from = std::mem::replace(&mut change.host.state, to);
        self.touched = true;
        if let Event::InstallFinished(id) | Event::InstallFailed(id, _) | Event::WipeProven(id, _) = event {
            change.installs.push(InstallWrite::End(*id, change.at));
        }
        for effect in &effects {
            // The row is void with the commit; the effect ends what is under way.
            if let Effect::VoidInstall { install } = effect {
                change.installs.push(InstallWrite::Void(*install, change.at));
            }
        }
        change.effects.extend(effects);
        if is_same_phase(&from, &change.host.state) {
            return Moved::InPlace;
        }
        change.host.changed = change.at;
        Moved::Away
    }

    /// A retired host owns nothing any more: its EK and what was on its disk are part of the proof only.
    pub(crate) fn let_go(&mut self) {
        let host = &mut self.change.host;
        if matches!(host.state, State::Retired { .. }) {
            (host.ek, host.installed) = (None, None);
        }
    }

    /// Adds the install row, if the step led to this installation or wipe just now.
    pub(crate) fn begin_install(&mut self, event: &Event, moved: Moved, install: NewInstall) {
        let change = &mut self.change;
        let (
            Event::InstallerProven(id),
            State::Installing { install: current, .. } | State::Wiping { install: current, .. },
        ) = (event, &change.host.state)
        else {
            return;
        };
        if id == current && moved == Moved::Away {
            let (id, host, at) = (*id, change.host.id, change.at);
            change.installs.push(InstallWrite::Begin { id, host, install, at });
        }
    }

    /// Writes the fact's note, and a line of its own for a new state that the note does not explain.
    pub(crate) fn tell(&mut self, note: Option<Note>, moved: Moved) {
        let state = &self.change.host.state;
        if moved != Moved::Away {
            self.line(note, None);
            return;
        }
        let word = state.word();
        let (why, own) = match (stop_note(state, &self.change.host.spec.name), &note) {
            (Some(stop), _) => stop,
            (None, Some(_)) => return self.line(note, Some(word)),
            (None, None) => {
                let text = format!("the host is {word} now");
                (text.clone(), Note::new(Level::Info, "host.state", text))
            }
        };
        match note {
            Some(note) if note.text.contains(&why) => self.line(Some(note), Some(word)),
            note => {
                self.line(note, None);
                self.line(Some(own), Some(word));
            }
        }
    }

    /// A line on the host's own timeline.
    pub(crate) fn line(&mut self, note: Option<Note>, state: Option<&'static str>) {
        if let Some(note) = note {
            self.line_of(Whose::Host(self.change.host.id), note, state);
        }
    }

    pub(crate) fn line_of(&mut self, whose: Whose, note: Note, state: Option<&'static str>) {
        self.change.lines.push(Line { whose, at: self.change.at, note, state });
    }
}

/// The reason of a state that waits for a person, and the line that tells it together with what to do.
fn stop_note(state: &State, name: &str) -> Option<(String, Note)> {
    let why = state.why()?;
    let level = if matches!(state, State::Pending) { Level::Warn } else { Level::Bad };
    let code = match state {
        State::Pending => "host.pending",
        State::Quarantined { .. } => "host.quarantined",
        _ => "host.failed",
    };
    let next = why.next().replace("NAME", name);
    Some((why.to_string(), Note::new(level, code, format!("{why}. {next}"))))
}

/// The line for a record that begins in a state which waits for a person.
pub(crate) fn first_note(host: &Host) -> Option<Note> {
    stop_note(&host.state, &host.spec.name).map(|(_, note)| note)
}

/// Reports that come every second move a deadline by a second each; a tenth of the wait is exact enough for the disk.
fn is_worth_writing(from: &State, to: &State, now: Timestamp) -> bool {
    match (from.deadline(), to.deadline()) {
        (Some(old), Some(new)) if is_same_phase(from, to) && from != to => {
            let (moved, wait) = (new.0.saturating_sub(old.0), new.0.saturating_sub(now.0));
            !(0..wait / 10).contains(&moved)
        }
        _ => from != to,
    }
}

fn is_same_phase(a: &State, b: &State) -> bool {
    a.word() == b.word() && a.why() == b.why() && install_of(a) == install_of(b)
}

/// The installation that a state is about.
pub(crate) fn install_of(state: &State) -> Option<InstallId> {
    match state {
        State::Installing { install, .. }
        | State::FirstBoot { install, .. }
        | State::Wiping { install, .. } => Some(*install),
        State::Pending
        | State::Registered
        | State::Booting { .. }
        | State::Attesting { .. }
        | State::Running { .. }
        | State::Silent { .. }
        | State::Quarantined { .. }
        | State::Failed { .. }
        | State::Retiring { .. }
        | State::Retired { .. } => None,
    }
}

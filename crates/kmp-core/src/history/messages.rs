// SPDX-License-Identifier: LGPL-2.1-or-later
//! What an entry says, in words: for people, and for the system's log. Pure.

use super::entry::{Entry, Held, Initrd, InitrdDone, NotLinked, Outcome};
use crate::system_log::{Event, Level, Message};

impl Entry {
    /// What there is to say to the system's log.
    pub fn messages(&self) -> Vec<Message<'_>> {
        let mut messages = Vec::new();
        for kernel in &self.kernels {
            let release = kernel.release.as_str();
            let mut say = |level, event, package, text: &str| {
                let text = format!("{release}: {text}").into();
                messages.push(Message { level, event: Some(event), kernel: Some(release), package, text });
            };
            for change in &kernel.changes {
                let event = Event::ALL.into_iter().find(|event| event.word() == change.change);
                let event = event.unwrap_or(Event::Repaired);
                say(Level::Notice, event, change.package.as_deref(), &change.text);
            }
            kernel.errors.iter().for_each(|why| say(Level::Error, Event::Failed, None, why));
            for missing in &kernel.not_linked {
                say(Level::Warning, Event::NotLinked, Some(&missing.package), &missing.text());
            }
            if let Some(initrd) = &kernel.initrd {
                let (level, event) = match initrd.done {
                    InitrdDone::Requested => (Level::Notice, Event::InitrdRequested),
                    InitrdDone::Made => (Level::Notice, Event::InitrdMade),
                    InitrdDone::Failed => (Level::Error, Event::InitrdFailed),
                };
                say(level, event, None, &initrd.text());
            }
        }
        let of_all = |level, event| {
            move |text| Message { level, event: Some(event), kernel: None, package: None, text }
        };
        for update in &self.updates {
            let (level, event) = match update.held {
                true => (Level::Warning, Event::Held),
                false => (Level::Notice, Event::MayCome),
            };
            let package = Some(update.package.as_str());
            let text = update.text().into();
            messages.push(Message { level, event: Some(event), kernel: None, package, text });
        }
        let lost = match self.outcome {
            Outcome::Stopped => of_all(Level::Error, Event::Stopped),
            _ => of_all(Level::Warning, Event::Lost),
        };
        messages.extend(self.lost.iter().map(|line| lost(line.into())));
        messages.extend(self.errors.iter().map(|why| of_all(Level::Error, Event::Failed)(why.into())));
        messages
    }
}

impl Held {
    /// In words.
    pub fn text(&self) -> String {
        let Self { package, held, reason } = self;
        if *held {
            format!("{package} is held back: {reason}")
        } else {
            format!("{package} may come: {reason}")
        }
    }
}

impl NotLinked {
    /// In words.
    pub fn text(&self) -> String {
        format!("{} not linked: {}", self.package, self.detail)
    }
}

impl Initrd {
    /// In words.
    pub fn text(&self) -> String {
        let reason = &self.reason;
        match (self.done, &self.error) {
            (InitrdDone::Requested, _) => format!("a new initrd was requested: {reason}"),
            (InitrdDone::Made, _) => format!("a new initrd was made: {reason}"),
            (InitrdDone::Failed, why) => {
                let why = why.as_deref().unwrap_or("that failed");
                format!("a new initrd is needed ({reason}), but {why}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::PackageChange;

    #[test]
    fn the_words_for_changes_are_those_of_events() {
        let all = [
            PackageChange::Added("a".into()),
            PackageChange::Replaced { old: "a".into(), new: "b".into() },
            PackageChange::Removed("a".into()),
            PackageChange::Repaired("a".into()),
            PackageChange::Dangling("a".into()),
        ];
        for change in &all {
            assert!(Event::ALL.iter().any(|event| event.word() == change.word()), "{change}");
        }
    }
}

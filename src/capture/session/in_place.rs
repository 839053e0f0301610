//! How the command is let go: to its own file, to a copy, or to its own file with the copy put over it.

use super::{Error, Session};
use crate::capture::held_child::HeldChild;
use crate::capture::own_path::{Grafted, Otherwise};
use crate::capture::selection::Name;
use crate::capture::sys;
use crate::capture::{Observation, launch};
use crossbeam_channel::Sender;
use std::io;
use std::path::PathBuf;

impl Session {
    /// Lets the command call exec.
    pub(super) fn let_go(
        &self,
        mut child: HeldChild,
        out: &Sender<Observation>,
        say: &dyn Fn(&str),
    ) -> Result<(), Error> {
        let failed = |source: io::Error| Error::Exec {
            command: PathBuf::from(self.options.command.first().cloned().unwrap_or_default()),
            source,
        };
        let Some(in_place) = child.in_place.take() else {
            return child.release().map_err(failed);
        };
        let (program, _) = launch::running(&self.options.command, &self.environment);
        let program = program.display();
        // A recorder that is gone wants to know nothing.
        let tell = |observation| drop(out.send(observation));
        let unseen = |why: String| Observation::Unseen {
            time: sys::now(),
            what: format!("calls in {program}"),
            why,
        };
        let configured = |value: &str| Observation::Configured {
            key: "own_path".to_owned(),
            value: value.to_owned(),
        };
        let otherwise = in_place.otherwise();
        match in_place.seize(child.pid) {
            Ok(seized) => {
                let grafted = child.release_in_place(|| seized.run()).map_err(failed)?;
                tell(configured("kept"));
                if let Grafted::Not(why) = grafted {
                    say(&format!("{program} tells of no calls: {why}"));
                    tell(unseen(why));
                }
            }
            Err(refusal) => match otherwise {
                Otherwise::Copy => {
                    say(&format!(
                        "{program} runs from a copy, and sees the path of that: {refusal}"
                    ));
                    tell(configured("that of a copy"));
                    child.release().map_err(failed)?;
                }
                Otherwise::AsItIs => {
                    say(&format!(
                        "{program} runs as it is, and tells of no calls: it finds its libraries by its own path, and {refusal}"
                    ));
                    tell(configured("kept"));
                    tell(unseen(refusal.to_string()));
                    child.release_as_it_is().map_err(failed)?;
                }
                Otherwise::Nothing => {
                    let backend = Name::Patch.word();
                    return Err(Error::Refused { backend, refusal });
                }
            },
        }
        Ok(())
    }
}

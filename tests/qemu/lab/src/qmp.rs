//! QEMU's control socket (QMP): one JSON line a command. Opened for each use, because QEMU serves one client at a time.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The socket cannot be reached, or went away: the guest has ended.
    #[error("no answer from QEMU at {path}")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// QEMU refused.
    #[error("QEMU refused {command}: {said}")]
    Refused {
        /// The command.
        command: String,
        /// Its reason.
        said: String,
    },
}

/// A connection that is ready for commands.
#[derive(Debug)]
pub struct Qmp {
    path: PathBuf,
    reader: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects and leaves the capabilities phase.
    pub fn open(path: &Path) -> Result<Self, QmpError> {
        let connect = || {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            let mut reader = BufReader::new(stream);
            reader.read_line(&mut String::new())?;
            Ok(reader)
        };
        let reader = connect().map_err(|source| QmpError::Socket { path: path.to_owned(), source })?;
        let mut qmp = Self { path: path.to_owned(), reader };
        qmp.execute("qmp_capabilities", Value::Null)?;
        Ok(qmp)
    }

    /// Carries out one command and returns what it returned.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        let mut request = json!({ "execute": command });
        if !arguments.is_null() {
            request["arguments"] = arguments;
        }
        let answer =
            self.exchange(&request).map_err(|source| QmpError::Socket { path: self.path.clone(), source })?;
        match answer.get("error") {
            None => Ok(answer["return"].clone()),
            Some(error) => {
                let said = error["desc"].as_str().unwrap_or("no reason given").to_owned();
                Err(QmpError::Refused { command: command.to_owned(), said })
            }
        }
    }

    fn exchange(&mut self, request: &Value) -> io::Result<Value> {
        writeln!(self.reader.get_mut(), "{request}")?;
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let answer: Value = serde_json::from_str(&line)?;
            // Events come in between.
            if answer.get("event").is_none() {
                return Ok(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// A server that greets and answers each command with the next of `answers`.
    fn serve(name: &str, answers: Vec<&'static str>) -> PathBuf {
        let path = std::env::temp_dir().join(format!("cairn-lab-qmp-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            writeln!(stream, r#"{{"QMP": {{}}}}"#).unwrap();
            let mut commands = BufReader::new(stream.try_clone().unwrap()).lines();
            for answer in answers {
                commands.next().unwrap().unwrap();
                writeln!(stream, "{answer}").unwrap();
            }
        });
        path
    }

    #[test]
    fn events_between_answers_are_passed_over() {
        let path = serve(
            "events",
            vec![r#"{"return": {}}"#, "{\"event\": \"RESET\"}\n{\"return\": {\"status\": \"running\"}}"],
        );
        let answer = Qmp::open(&path).unwrap().execute("query-status", Value::Null).unwrap();
        assert_eq!(answer["status"], "running");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_refusal_and_a_lost_guest_are_told_apart() {
        let path = serve("refusal", vec![r#"{"return": {}}"#, r#"{"error": {"desc": "no such device"}}"#]);
        let mut qmp = Qmp::open(&path).unwrap();
        assert!(
            matches!(qmp.execute("set_link", json!({})), Err(QmpError::Refused { said, .. }) if said == "no such device")
        );
        assert!(matches!(qmp.execute("quit", Value::Null), Err(QmpError::Socket { .. })));
        std::fs::remove_file(path).unwrap();
    }
}

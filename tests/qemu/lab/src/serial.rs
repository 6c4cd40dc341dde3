//! A terminal's byte stream to plain lines: escape sequences dropped, cursor jumps and carriage returns taken as line ends
//! (EDK2 draws, iPXE overwrites), empty lines left out. Pure; total over any bytes; memory bounded.

/// Longest line kept in one piece.
const LONGEST: usize = 4096;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Text,
    Escape,
    /// ESC [ parameters, until a final byte 0x40..=0x7e.
    Control,
    /// ESC ] text, until BEL or ESC \.
    System,
    /// ESC ( or ESC ): one more byte names the character set.
    Charset,
}

/// Cuts bytes into lines; feed it as they come.
#[derive(Debug, Default)]
pub struct Splitter {
    mode: Mode,
    line: Vec<u8>,
}

impl Splitter {
    /// Takes the next bytes and returns the lines that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        bytes.iter().filter_map(|&byte| self.byte(byte)).collect()
    }

    /// What stands after the last line end: a prompt, or a line still being written.
    #[must_use]
    pub fn partial(&self) -> String {
        text(&self.line)
    }

    /// Ends the line now, as when the stream ends or a prompt was answered.
    pub fn flush(&mut self) -> Option<String> {
        let line = text(&std::mem::take(&mut self.line));
        (!line.trim().is_empty()).then_some(line)
    }

    fn byte(&mut self, byte: u8) -> Option<String> {
        match (self.mode, byte) {
            (Mode::Text, 0x1b) => self.turn(Mode::Escape),
            (Mode::Text, b'\n' | b'\r') => self.flush(),
            (Mode::Text, 0x08 | 0x7f) => {
                self.line.pop();
                None
            }
            (Mode::Text, 0x00..=0x1f) if byte != b'\t' => None,
            (Mode::Text, _) => {
                self.line.push(byte);
                if self.line.len() >= LONGEST { self.flush() } else { None }
            }
            (Mode::Escape, b'[') => self.turn(Mode::Control),
            (Mode::Escape, b']') => self.turn(Mode::System),
            (Mode::Escape, b'(' | b')') => self.turn(Mode::Charset),
            (Mode::System, 0x1b) => self.turn(Mode::Escape),
            // A cursor jump or a cleared screen: what follows is not the same line.
            (Mode::Control, b'H' | b'f' | b'J') => {
                self.mode = Mode::Text;
                self.flush()
            }
            (Mode::Control, 0x40..=0x7e) | (Mode::System, 0x07) | (Mode::Escape | Mode::Charset, _) => {
                self.turn(Mode::Text)
            }
            // A line end inside a sequence means that the sequence was cut: a reboot, usually.
            (Mode::Control | Mode::System, b'\n') => {
                self.mode = Mode::Text;
                self.flush()
            }
            (Mode::Control | Mode::System, _) => None,
        }
    }

    fn turn(&mut self, mode: Mode) -> Option<String> {
        self.mode = mode;
        None
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(bytes: &[u8], lines: &[&str], partial: &str) {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(bytes), lines);
        assert_eq!(splitter.partial(), partial);
    }

    #[test]
    fn what_ovmf_draws_becomes_lines() {
        check(
            b"\x1b[2J\x1b[01;01H\x1b[=3h\x1b[2J\x1b[01;01H\r\n>>Start PXE over IPv4.\r\n  Station IP address is 10.77.0.100\r\n",
            &[">>Start PXE over IPv4.", "  Station IP address is 10.77.0.100"],
            "",
        );
    }

    #[test]
    fn what_ipxe_overwrites_is_taken_back() {
        check(
            b"\x1b[0;1miPXE 1.0.0\x1b[0m -- \x1b[0;36mhttp://ipxe.org\x1b[0m\r\nPress Ctrl-B...\x08 \x08\x08 \x08net0: open\r\n",
            &["iPXE 1.0.0 -- http://ipxe.org", "Press Ctrl-B.net0: open"],
            "",
        );
    }

    #[test]
    fn a_prompt_without_line_end_is_visible() {
        check(b"one\nlogin: ", &["one"], "login:");
    }

    #[test]
    fn a_sequence_cut_by_a_reboot_loses_one_line_at_most() {
        check(b"\x1b[31\nnext\n", &["next"], "");
    }

    proptest! {
        #[test]
        fn any_bytes_give_bounded_lines(bytes in proptest::collection::vec(any::<u8>(), 0..20_000)) {
            let mut splitter = Splitter::default();
            // Lossy decoding makes three bytes of one.
            for line in splitter.push(&bytes) {
                prop_assert!(line.len() <= LONGEST * 3 && !line.contains('\n'));
            }
            prop_assert!(splitter.partial().len() <= LONGEST * 3);
        }
    }
}

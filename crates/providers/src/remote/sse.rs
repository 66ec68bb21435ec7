//! Server-sent events, from bytes that are cut anywhere.
//!
//! Lines are put together as bytes and read as UTF-8 when they are whole, so that no character is cut. A line and an
//! event have a greatest length: what a server sends is never kept without bound, which is why this is not
//! `eventsource-stream`.
//!
//! Source: the HTML standard, section 9.2.6, "Interpreting an event stream"; an event that no blank line ends is dropped.

use std::collections::VecDeque;

/// What a stream of events holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The data of one event, its lines joined by line feeds.
    Data(String),
    /// A comment, which servers send to say that they are alive.
    Comment,
}

/// Why bytes are no stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A line or an event has more bytes than allowed.
    TooLong { what: &'static str, limit: usize },
    /// A line is not UTF-8.
    NotUtf8,
}

/// Bytes that a line may have.
pub(crate) const MAX_LINE: usize = 4 << 20;
/// Bytes that the data of an event may have.
pub(crate) const MAX_EVENT: usize = 8 << 20;

/// The byte order mark that a stream may begin with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads events.
#[derive(Debug)]
pub(crate) struct Decoder {
    max_line: usize,
    max_event: usize,
    line: Vec<u8>,
    data: Option<String>,
    /// The last byte was a carriage return: a line feed after it is part of the same end of line.
    returned: bool,
    first: bool,
    events: VecDeque<Event>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_limits(MAX_LINE, MAX_EVENT)
    }
}

impl Decoder {
    fn with_limits(max_line: usize, max_event: usize) -> Self {
        Self {
            max_line,
            max_event,
            line: Vec::new(),
            data: None,
            returned: false,
            first: true,
            events: VecDeque::new(),
        }
    }

    /// The next event that is whole.
    pub(crate) fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// [`Fault`]; the stream is of no use after that.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.returned) && bytes.starts_with(b"\n") {
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + piece.len() > self.max_line {
                return Err(Fault::TooLong {
                    what: "a line",
                    limit: self.max_line,
                });
            }
            self.line.extend_from_slice(piece);
            bytes = rest;
            if let Some((terminator, rest)) = rest.split_first() {
                self.returned = *terminator == b'\r';
                bytes = rest;
                self.end_line()?;
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Fault> {
        let line = std::mem::take(&mut self.line);
        let read = self.read_line(&line);
        self.line = line;
        self.line.clear();
        read
    }

    fn read_line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let line = match line.strip_prefix(MARK) {
            Some(rest) if self.first => rest,
            _ => line,
        };
        self.first = false;
        let line = std::str::from_utf8(line).map_err(|_| Fault::NotUtf8)?;
        if line.is_empty() {
            self.events.extend(self.data.take().map(Event::Data));
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        match field {
            "" => self.events.push_back(Event::Comment),
            "data" => {
                let value = value.strip_prefix(' ').unwrap_or(value);
                let held = self.data.as_ref().map_or(0, |data| data.len() + 1);
                if held + value.len() > self.max_event {
                    return Err(Fault::TooLong {
                        what: "an event",
                        limit: self.max_event,
                    });
                }
                match &mut self.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => self.data = Some(value.to_owned()),
                }
            }
            // The name of an event, its id and a time to reconnect say nothing here.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Event>, Fault> {
        let mut decoder = Decoder::with_limits(64, 100);
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece)?;
            events.extend(std::iter::from_fn(|| decoder.next()));
        }
        Ok(events)
    }

    fn data(text: &str) -> Event {
        Event::Data(text.to_owned())
    }

    const STREAM: &str = "\u{feff}data: é1\r\n\r\n: alive\n\nevent: x\rid: 7\rdata:2\rdata:  3\r\rdata\n\nretry: 1\n\ndata: cut";

    #[test]
    fn every_split_of_a_stream_gives_the_same_events() {
        let expected = [data("é1"), Event::Comment, data("2\n 3"), data("")];
        let bytes = STREAM.as_bytes();
        assert_eq!(read(&[bytes]).unwrap(), expected);
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(read(&pieces).unwrap(), expected, "{first} {second}");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single).unwrap(), expected);
    }

    #[test]
    fn lines_and_events_have_a_greatest_length() {
        let fits = format!("data: {}\n\n", "x".repeat(58));
        assert_eq!(read(&[fits.as_bytes()]).unwrap(), [data(&"x".repeat(58))]);
        let long = format!("data: {}", "x".repeat(59));
        let fault = read(&[long.as_bytes()]).unwrap_err();
        assert_eq!(
            fault,
            Fault::TooLong {
                what: "a line",
                limit: 64
            }
        );
        let many = "data: 0123456789\n".repeat(10);
        let fault = read(&[many.as_bytes()]).unwrap_err();
        assert_eq!(
            fault,
            Fault::TooLong {
                what: "an event",
                limit: 100
            }
        );
    }

    #[test]
    fn a_line_that_is_not_utf8_is_refused() {
        assert_eq!(read(&[b"data: \xff\n\n"]).unwrap_err(), Fault::NotUtf8);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_alike_at_every_split(bytes in proptest::collection::vec(any::<u8>(), 0..80), at in 0usize..80) {
            let at = at.min(bytes.len());
            prop_assert_eq!(read(&[&bytes]), read(&[&bytes[..at], &bytes[at..]]));
        }
    }
}

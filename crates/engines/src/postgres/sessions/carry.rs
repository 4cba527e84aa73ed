//! What a session is beside its transactions: looked at when it pauses, made again at the next
//! primary.

use std::collections::BTreeMap;
use std::io;

use tokio::io::AsyncWriteExt as _;

use super::messages::{Message, message, query};
use super::talk::Talk;
use super::wire::Server;

/// Everything that the engine knows of a session, as rows of a kind and two texts. What is in
/// `{names}` are further parameters the session may have set: the engine does not list those with
/// a dot in their names; functions may set them too.
const QUESTION: &str = "
SELECT 'set', name, setting, NULL FROM pg_catalog.pg_settings WHERE source = 'session'
    AND name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable',
        'seed')
UNION ALL SELECT 'set', name, pg_catalog.current_setting(name, true), NULL FROM (
        SELECT pg_catalog.unnest('{names}'::pg_catalog.text[]) AS name
        UNION SELECT pg_catalog.lower(found[1]) FROM pg_catalog.pg_proc,
            pg_catalog.regexp_matches(prosrc, 'set_config\\s*\\(\\s*''([^'']+\\.[^'']+)''', 'gi')
                AS found
        WHERE pg_proc.oid >= 16384 AND prosrc ILIKE '%set_config%'
    ) own WHERE pg_catalog.current_setting(name, true) IS NOT NULL
        AND name NOT IN (SELECT name FROM pg_catalog.pg_settings)
UNION ALL SELECT CASE WHEN from_sql THEN 'say' ELSE 'parse' END, name, statement,
    pg_catalog.array_to_string(parameter_types::pg_catalog.oid[], ',')
    FROM pg_catalog.pg_prepared_statements
UNION ALL SELECT 'bound', 'it has temporary tables', NULL, NULL WHERE EXISTS (
    SELECT FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema())
UNION ALL SELECT 'bound', 'it listens for notifications', NULL, NULL WHERE EXISTS (
    SELECT FROM pg_catalog.pg_listening_channels())
UNION ALL SELECT 'bound', 'it holds advisory locks', NULL, NULL WHERE EXISTS (
    SELECT FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid()
    AND locktype = 'advisory')
UNION ALL SELECT 'bound', 'it has open cursors', NULL, NULL WHERE EXISTS (
    SELECT FROM pg_catalog.pg_cursors)";

/// These change who the session is, so they come last.
const LAST: [&[u8]; 2] = [b"session_authorization", b"role"];

/// In this the other values are written, so it comes first.
const FIRST: &[u8] = b"client_encoding";

/// A session between two transactions.
#[derive(Default)]
pub(super) struct Carried {
    /// Parameters and their values.
    settings: Vec<(Vec<u8>, Vec<u8>)>,
    /// Statements that prepare statements.
    spoken: Vec<Vec<u8>>,
    /// The same, as messages.
    parsed: Vec<Vec<u8>>,
    unnamed: Option<Vec<u8>>,
}

/// Why a session cannot go on elsewhere.
pub(super) type Bound = String;

impl Carried {
    /// Looks at a session that is idle. What the server says beside the answer is for the client.
    pub(super) async fn look(
        server: &mut Server,
        talk: &Talk,
        aside: &mut Vec<u8>,
    ) -> io::Result<Result<Self, Bound>> {
        if let Some(bound) = talk.words.bound {
            return Ok(Err(bound.to_owned()));
        }
        // Names are made of letters, digits, `_`, `$` and dots, or of what stood between quotes.
        let quoted = talk
            .words
            .names
            .iter()
            .map(|name| format!("\"{}\"", name.replace(['\\', '"'], "").replace('\'', "''")));
        let names = format!("{{{}}}", quoted.collect::<Vec<_>>().join(","));
        server.write_all(&query(QUESTION.replace("{names}", &names).as_bytes())).await?;
        server.flush().await?;
        let mut carried = Self { unnamed: talk.unnamed.clone(), ..Self::default() };
        let mut bound = None;
        loop {
            let said = Message::read(server).await?;
            match said.kind {
                b'D' => match said.columns() {
                    Some(columns) => bound = carried.take(columns).err().or(bound),
                    None => return Err(io::Error::other("a row that cannot be read")),
                },
                b'E' => {
                    let why = said.field(b'M').unwrap_or_default();
                    bound = Some(format!("its state could not be looked at: {why}"));
                }
                b'N' | b'A' | b'S' => aside.extend(said.bytes()),
                b'Z' => return Ok(bound.map_or(Ok(carried), Err)),
                _ => {}
            }
        }
    }

    /// Takes in a row of the answer.
    fn take(&mut self, columns: Vec<Option<Vec<u8>>>) -> Result<(), Bound> {
        let mut columns = columns.into_iter().map(Option::unwrap_or_default);
        let mut next = || columns.next().unwrap_or_default();
        let (kind, name, text, types) = (next(), next(), next(), next());
        match kind.as_slice() {
            b"set" => self.settings.push((name, text)),
            b"say" => self.spoken.push(text),
            b"parse" => {
                let types = String::from_utf8_lossy(&types).into_owned();
                let types: Vec<u32> = types.split(',').filter_map(|t| t.parse().ok()).collect();
                let count = u16::try_from(types.len()).unwrap_or_default();
                let types = types.iter().flat_map(|oid| oid.to_be_bytes()).collect::<Vec<_>>();
                let body = [name.as_slice(), &[0], &text, &[0], &count.to_be_bytes(), &types];
                self.parsed.push(message(b'P', &body.concat()));
            }
            _ => return Err(String::from_utf8_lossy(&name).into_owned()),
        }
        Ok(())
    }

    /// Makes the session anew at a server that it has just entered.
    pub(super) async fn restore(
        &self,
        server: &mut Server,
        told: &mut BTreeMap<String, String>,
    ) -> io::Result<Result<(), Bound>> {
        let mut asked = 0;
        let mut bytes = Vec::new();
        let settings = self.settings();
        for text in settings.iter().chain(&self.spoken) {
            bytes.extend(query(text));
            asked += 1;
        }
        if !self.parsed.is_empty() {
            bytes.extend(self.parsed.concat());
            bytes.extend(message(b'S', b""));
            asked += 1;
        }
        let must = asked;
        if let Some(unnamed) = &self.unnamed {
            // One that was never valid is not valid here either.
            bytes.extend([unnamed.as_slice(), &message(b'S', b"")].concat());
            asked += 1;
        }
        if asked == 0 {
            return Ok(Ok(()));
        }
        server.write_all(&bytes).await?;
        server.flush().await?;
        let (mut answered, mut bound) = (0, None);
        while answered < asked {
            let said = Message::read(server).await?;
            match said.kind {
                b'Z' => answered += 1,
                b'S' => told.extend(super::messages::pair(&said.body)),
                b'E' if answered < must => bound = said.field(b'M'),
                _ => {}
            }
        }
        Ok(bound.map_or(Ok(()), Err))
    }

    /// One statement for the settings, where there are any.
    fn settings(&self) -> Option<Vec<u8>> {
        let place = |name: &[u8]| match name {
            FIRST => 0,
            name => LAST.iter().position(|last| *last == name).map_or(1, |place| place + 2),
        };
        let mut settings: Vec<_> = self.settings.iter().collect();
        settings.sort_by_key(|(name, _)| place(name));
        let calls: Vec<Vec<u8>> = settings
            .into_iter()
            .map(|(name, value)| {
                let (name, value) = (literal(name), literal(value));
                [b"SELECT pg_catalog.set_config(", name.as_slice(), b", ", &value, b", false)"]
                    .concat()
            })
            .collect();
        (!calls.is_empty()).then(|| calls.join(&b"; "[..]))
    }
}

/// A text as a literal, whatever the session's `standard_conforming_strings`.
fn literal(text: &[u8]) -> Vec<u8> {
    let mut literal = b"E'".to_vec();
    for byte in text {
        if matches!(byte, b'\'' | b'\\') {
            literal.push(*byte);
        }
        literal.push(*byte);
    }
    literal.push(b'\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn settings_are_made_again_in_an_order_that_works() {
        let mut carried = Carried::default();
        for (name, value) in [("role", "r"), ("work_mem", "64"), ("client_encoding", "it's \\")] {
            carried.take(vec![text("set"), text(name), text(value), None]).expect("a setting");
        }
        let said = String::from_utf8(carried.settings().expect("some")).expect("text");
        assert_eq!(
            said,
            "SELECT pg_catalog.set_config(E'client_encoding', E'it''s \\\\', false); \
             SELECT pg_catalog.set_config(E'work_mem', E'64', false); \
             SELECT pg_catalog.set_config(E'role', E'r', false)"
        );
    }

    #[test]
    fn prepared_statements_keep_the_types_of_their_parameters() {
        let mut carried = Carried::default();
        let row = vec![text("parse"), text("a"), text("SELECT $1, $2"), text("23,25")];
        carried.take(row).expect("a statement");
        let body = b"a\0SELECT $1, $2\0\0\x02\0\0\0\x17\0\0\0\x19";
        assert_eq!(carried.parsed, [message(b'P', body)]);
        let bound = carried.take(vec![text("bound"), text("it holds advisory locks"), None, None]);
        assert_eq!(bound, Err("it holds advisory locks".to_owned()));
    }
}

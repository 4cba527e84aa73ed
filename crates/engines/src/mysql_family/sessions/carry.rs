//! What a session is beside its transactions: looked at when it pauses, made again at the next
//! primary.

use std::collections::BTreeMap;
use std::io;

use super::ask::{Answer, Said, ask, command, prepare};
use super::enter::Entered;
use super::requests::{SET_OPTION, USE};
use super::talk::State;

/// What the engine counted in the session, also within routines.
const COUNTERS: &str = "SHOW SESSION STATUS WHERE Variable_name IN ('Com_set_option', \
    'Com_call_procedure', 'Com_create_table', 'Com_create_temporary_table', 'Com_prepare_sql', \
    'Com_dealloc_sql', 'Com_ha_open', 'Com_ha_close')";

/// Where it works and as whom, and what it was last given.
const PLACE: &str = "SELECT DATABASE(), CURRENT_ROLE(), LAST_INSERT_ID()";

/// Settings that are another than the engine's.
const MARIADB_SETTINGS: &str = "SELECT VARIABLE_NAME, SESSION_VALUE \
    FROM information_schema.SYSTEM_VARIABLES \
    WHERE VARIABLE_SCOPE = 'SESSION' AND READ_ONLY = 'NO' AND SESSION_VALUE <> GLOBAL_VALUE";
const MYSQL_SETTINGS: &str = "SELECT s.VARIABLE_NAME, s.VARIABLE_VALUE \
    FROM performance_schema.session_variables s \
    JOIN performance_schema.global_variables g ON g.VARIABLE_NAME = s.VARIABLE_NAME \
    WHERE s.VARIABLE_VALUE <> g.VARIABLE_VALUE";

/// Names of user variables.
const MARIADB_NAMES: &str = "SELECT VARIABLE_NAME FROM information_schema.USER_VARIABLES";

/// Texts of routines that may set some.
const ROUTINES: &str = "SELECT ROUTINE_DEFINITION FROM information_schema.ROUTINES \
    WHERE ROUTINE_DEFINITION LIKE '%@%'";

/// These are of a server or a moment, or follow from others.
const LEFT_OUT: [&str; 10] = [
    "collation_database",
    "character_set_database",
    "gtid_next",
    "gtid_owned",
    "last_insert_id",
    "identity",
    "pseudo_thread_id",
    "server_id",
    "timestamp",
    "rand_seed1",
];

/// Which a client cannot have set: it has no right to, or nobody has.
const NOT_TO_SET: [u16; 4] = [1227, 1238, 1621, 1193];

/// Types of columns: whole numbers, approximate ones, decimal ones.
const WHOLE: [u8; 6] = [1, 2, 3, 8, 9, 13];
const APPROXIMATE: [u8; 2] = [4, 5];
const DECIMAL: [u8; 2] = [0, 246];

/// A session between two transactions.
#[derive(Default)]
pub(super) struct Carried {
    database: Option<Vec<u8>>,
    role: Option<String>,
    last_id: String,
    /// Statements that make settings and variables anew.
    settings: Vec<String>,
    variables: Vec<String>,
}

/// Why a session cannot go on elsewhere.
pub(super) type Bound = String;

/// A connection that broke, or a reason.
pub(super) type Looked<T> = io::Result<Result<T, Bound>>;

impl Carried {
    /// Looks at a session that is idle.
    pub(super) async fn look(entered: &mut Entered, state: &mut State) -> Looked<Self> {
        if let Some(bound) = state.bound() {
            return Ok(Err(bound.to_owned()));
        }
        let looked = Looking { entered, state, is_in_transaction: false }.all().await;
        Ok(match looked {
            Ok(carried) => Ok(carried),
            Err(Stopped::Broken(error)) => return Err(error),
            Err(Stopped::Bound(bound)) => Err(bound),
            Err(Stopped::Said(said)) => {
                Err(format!("its state could not be looked at: {}", said.words))
            }
        })
    }

    /// Makes the session anew at a server that it has just entered.
    pub(super) async fn restore(&self, entered: &mut Entered, state: &mut State) -> Looked<()> {
        Ok(match self.make(entered, state).await {
            Ok(()) => Ok(()),
            Err(Stopped::Broken(error)) => return Err(error),
            Err(Stopped::Bound(bound)) => Err(bound),
            Err(Stopped::Said(said)) => Err(said.words),
        })
    }

    async fn make(&self, entered: &mut Entered, state: &mut State) -> Result<(), Stopped> {
        let server = &mut entered.server;
        for setting in &self.settings {
            match ask(server, setting.as_bytes()).await? {
                Err(said) if !NOT_TO_SET.contains(&said.code) => return Err(said.into()),
                _ => {}
            }
        }
        if let Some(database) = &self.database {
            command(server, USE, database).await??;
        }
        let role = ask(server, b"SELECT CURRENT_ROLE()").await??;
        if column(&role, 0) != self.role {
            let role = match &self.role {
                None => "NONE".to_owned(),
                Some(role) if entered.is_mariadb => format!("'{}'", role.replace('\'', "''")),
                Some(role) => role.clone(),
            };
            ask(server, format!("SET ROLE {role}").as_bytes()).await??;
        }
        for variable in &self.variables {
            ask(server, variable.as_bytes()).await??;
        }
        if self.last_id != "0" {
            let statement = format!("DO LAST_INSERT_ID({})", self.last_id);
            ask(server, statement.as_bytes()).await??;
        }
        if let Some(option) = state.option {
            command(server, SET_OPTION, &option).await??;
        }
        for statement in state.statements.all() {
            let Some(text) = &statement.text else {
                let words = "it has prepared a statement that is too long to be prepared again";
                return Err(Stopped::Bound(words.to_owned()));
            };
            let (id, parameters) = prepare(server, text).await??;
            if parameters != statement.parameters {
                let words = "a statement that it had prepared is another there";
                return Err(Stopped::Bound(words.to_owned()));
            }
            statement.moved(id);
        }
        Ok(())
    }
}

/// Why looking, or making anew, stopped.
enum Stopped {
    Broken(io::Error),
    Said(Said),
    Bound(Bound),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<Said> for Stopped {
    fn from(said: Said) -> Self {
        Self::Said(said)
    }
}

struct Looking<'a> {
    entered: &'a mut Entered,
    state: &'a mut State,
    /// A look began one, where every statement does.
    is_in_transaction: bool,
}

impl Looking<'_> {
    async fn ask(&mut self, question: &str) -> Result<Answer, Stopped> {
        let answer = ask(&mut self.entered.server, question.as_bytes()).await??;
        self.is_in_transaction = answer.status & 1 > 0;
        Ok(answer)
    }

    async fn all(mut self) -> Result<Carried, Stopped> {
        let place = self.ask(PLACE).await?;
        let counters = self.ask(COUNTERS).await?;
        let counters: BTreeMap<String, u64> = (0..counters.rows.len())
            .filter_map(|row| {
                let count = text(&counters, row, 1)?.parse().ok()?;
                Some((text(&counters, row, 0)?.to_lowercase(), count))
            })
            .collect();
        let count = |name: &str| counters.get(name).copied().unwrap_or_default();
        let calls = count("com_call_procedure");
        let is_mariadb = self.entered.is_mariadb;
        let has_temporary = match is_mariadb {
            true => count("com_create_temporary_table") > 0,
            // It counts them among others.
            false => {
                let may_have = self.state.words.has_temporary || calls > 0;
                may_have && count("com_create_table") > 0
            }
        };
        let bound = [
            (has_temporary, "it has made temporary tables"),
            (
                count("com_prepare_sql") > count("com_dealloc_sql"),
                "it has prepared statements by PREPARE",
            ),
            (count("com_ha_open") > count("com_ha_close"), "it has tables open for HANDLER"),
        ];
        if let Some((_, words)) = bound.iter().find(|(is_so, _)| *is_so) {
            return Err(Stopped::Bound((*words).to_owned()));
        }
        let mut carried = Carried {
            database: place.rows.first().and_then(|row| row.first().cloned().flatten()),
            role: column(&place, 1),
            last_id: column(&place, 2).unwrap_or_else(|| "0".to_owned()),
            ..Carried::default()
        };
        // Others the session had from its beginning, and has again.
        if count("com_set_option") > 0 || calls > 0 {
            let question = if is_mariadb { MARIADB_SETTINGS } else { MYSQL_SETTINGS };
            let settings = self.ask(question).await?;
            carried.settings = settings_of(&settings)?;
        }
        carried.variables = self.variables(calls > 0).await?;
        if self.is_in_transaction {
            self.ask("COMMIT AND NO CHAIN NO RELEASE").await?;
        }
        Ok(carried)
    }

    /// Statements that make the user variables anew.
    async fn variables(&mut self, has_called: bool) -> Result<Vec<String>, Stopped> {
        let mut names = self.state.words.names.clone();
        if self.entered.is_mariadb {
            let known = self.ask(MARIADB_NAMES).await?;
            names = (0..known.rows.len()).filter_map(|row| text(&known, row, 0)).collect();
        } else if has_called {
            let known = self.ask(ROUTINES).await?;
            for row in &known.rows {
                let text = row.first().and_then(Option::as_ref);
                self.state.words.see(text.map_or(&[], |text| &text[..]), true, true);
            }
            names.extend(self.state.words.names.iter().cloned());
        }
        let mut made = Vec::new();
        for name in names {
            let quoted = name.replace('`', "``");
            let value = format!(
                "SELECT @`{quoted}`, HEX(@`{quoted}`), CHARSET(@`{quoted}`), COLLATION(@`{quoted}`)"
            );
            let answer = self.ask(&value).await?;
            if let Some(literal) = literal(&answer) {
                made.push(format!("SET @`{quoted}` = {literal}"));
            }
        }
        Ok(made)
    }
}

fn text(answer: &Answer, row: usize, column: usize) -> Option<String> {
    let bytes = answer.rows.get(row)?.get(column)?.as_ref()?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

fn column(answer: &Answer, column: usize) -> Option<String> {
    text(answer, 0, column)
}

/// A user variable's value as it is said again; none for NULL, which a variable is anyhow.
fn literal(answer: &Answer) -> Option<String> {
    let value = column(answer, 0)?;
    let kind = answer.types.first()?;
    if WHOLE.contains(kind) || DECIMAL.contains(kind) {
        return Some(value);
    }
    if APPROXIMATE.contains(kind) {
        let is_marked = value.contains(['e', 'E']);
        return Some(if is_marked { value } else { format!("{value}e0") });
    }
    let (digits, charset) = (column(answer, 1)?, column(answer, 2)?);
    match charset.as_str() {
        "binary" => Some(format!("_binary x'{digits}'")),
        _ => Some(format!("_{charset} x'{digits}' COLLATE {}", column(answer, 3)?)),
    }
}

fn settings_of(answer: &Answer) -> Result<Vec<String>, Stopped> {
    let mut settings = Vec::new();
    for row in 0..answer.rows.len() {
        let (Some(name), Some(value)) = (text(answer, row, 0), text(answer, row, 1)) else {
            continue;
        };
        let name = name.to_lowercase();
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        if value.contains('\\') {
            let words = format!("its setting {name} is not one that can be said again");
            return Err(Stopped::Bound(words));
        }
        let is_number = value.parse::<f64>().is_ok()
            && value.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let value = match is_number {
            true => value,
            false => format!("'{}'", value.replace('\'', "''")),
        };
        settings.push(format!("SET SESSION `{name}` = {value}"));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(types: &[u8], rows: &[&[&str]]) -> Answer {
        let row = |row: &&[&str]| row.iter().map(|text| Some(text.as_bytes().to_vec())).collect();
        Answer { types: types.to_vec(), rows: rows.iter().map(row).collect(), status: 0 }
    }

    #[test]
    fn user_variables_keep_their_types() {
        let one = |kind, values: &[&str]| literal(&answer(&[kind], &[values]));
        assert_eq!(one(8, &["-5", "", "binary", ""]).as_deref(), Some("-5"));
        assert_eq!(one(5, &["1.5", "", "binary", ""]).as_deref(), Some("1.5e0"));
        assert_eq!(one(246, &["1.50", "", "binary", ""]).as_deref(), Some("1.50"));
        let text = one(251, &["it's", "69742773", "utf8mb4", "utf8mb4_bin"]);
        assert_eq!(text.as_deref(), Some("_utf8mb4 x'69742773' COLLATE utf8mb4_bin"));
        let bytes = one(251, &["\u{1}", "01", "binary", "binary"]);
        assert_eq!(bytes.as_deref(), Some("_binary x'01'"));
        let nothing = Answer { types: vec![8], rows: vec![vec![None; 4]], status: 0 };
        assert_eq!(literal(&nothing), None);
    }

    #[test]
    fn settings_are_said_as_they_are_understood() {
        let rows: [&[&str]; 4] = [
            &["AUTOCOMMIT", "OFF"],
            &["group_concat_max_len", "2048"],
            &["time_zone", "+02:00"],
            &["TIMESTAMP", "1.5"],
        ];
        let Ok(settings) = settings_of(&answer(&[], &rows)) else { panic!("they can be said") };
        let expected = [
            "SET SESSION `autocommit` = 'OFF'",
            "SET SESSION `group_concat_max_len` = 2048",
            "SET SESSION `time_zone` = '+02:00'",
        ];
        assert_eq!(settings, expected);
        assert!(settings_of(&answer(&[], &[&["init", "a\\b"]])).is_err());
    }
}

//! The term of the primary whose history the data is, told by the data itself.
//!
//! It is the description of a function in a library of ours: replicated and saved with the data,
//! and no key. KeyDB has no such functions: there it is a key, as its profile says.

use bellwether_contracts::Failure;
use bellwether_model::Term;

use super::resp::Value;
use super::{Kind, Redis};

pub(super) const LIBRARY: &str = "bellwether";

/// Where there are no functions.
const KEY: &str = "bellwether:term";

impl Redis {
    /// The term that the data tells; none when it tells none.
    pub(super) async fn term_of_data(&self) -> Result<Option<Term>, Failure> {
        let text = match self.kind {
            Kind::KeyDb => match self.link.run(&["GET", KEY]).await? {
                Value::Text(text) => Some(text),
                _ => None,
            },
            Kind::Valkey | Kind::Redis => {
                let libraries =
                    self.link.run(&["FUNCTION", "LIST", "LIBRARYNAME", LIBRARY]).await?;
                libraries.after("description").map(str::to_owned)
            }
        };
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// Lets the data of this primary tell its term. Also where the memory is full: it is no more
    /// than what was there before.
    pub(super) async fn tell_term(&self, term: Term, memory: u64) -> Result<(), Failure> {
        self.link.run(&["CONFIG", "SET", "maxmemory", "0"]).await?;
        let told = match self.kind {
            Kind::KeyDb => self.link.run(&["SET", KEY, &term.to_string()]).await,
            Kind::Valkey | Kind::Redis => {
                let code = library(term);
                self.link.run(&["FUNCTION", "LOAD", "REPLACE", &code]).await
            }
        };
        self.link.run(&["CONFIG", "SET", "maxmemory", &memory.to_string()]).await?;
        told.map(|_| ())
    }
}

fn library(term: Term) -> String {
    format!(
        "#!lua name={LIBRARY}\nredis.register_function{{function_name='bellwether_term', \
         callback=function() return {term} end, description='{term}', flags={{'no-writes'}}}}"
    )
}

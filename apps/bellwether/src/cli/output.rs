//! How results are printed.

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::failure::{Failure, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Yaml,
}

/// Prints a line of the result.
macro_rules! say {
    () => { $crate::cli::output::put(format_args!("\n")) };
    ($format:literal $($rest:tt)*) => {
        $crate::cli::output::put(format_args!("{}\n", format_args!($format $($rest)*)))
    };
}
pub(crate) use say;

/// Prints to standard output. Whoever reads it may have seen enough: that is no failure.
pub(crate) fn put(text: std::fmt::Arguments) {
    use std::io::Write as _;
    let mut output = std::io::stdout().lock();
    if let Err(error) = output.write_fmt(text).and_then(|()| output.flush()) {
        let is_enough = error.kind() == std::io::ErrorKind::BrokenPipe;
        if !is_enough {
            eprintln!("error: standard output: {error}");
        }
        std::process::exit(i32::from(!is_enough));
    }
}

/// Prints a value for programs.
pub(super) fn print<T: Serialize>(format: Format, value: &T) -> Result {
    let text = match format {
        Format::Yaml => serde_yaml_ng::to_string(value).map_err(|e| e.to_string()),
        Format::Json | Format::Table => {
            serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|e| e.to_string())
        }
    };
    put(format_args!("{}", text.map_err(Failure::unexpected)?));
    Ok(())
}

/// Prints rows for people; numbers stand at the right.
pub(super) fn table(heads: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        say!("None.");
        return;
    }
    let is_numeric = |column: usize| {
        let cells = || rows.iter().map(|row| row[column].as_str());
        cells().all(|cell| cell == "-" || is_number(cell)) && cells().any(is_number)
    };
    let numeric: Vec<bool> = (0..heads.len()).map(is_numeric).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(heads.iter().map(|head| head.to_uppercase()));
    table.add_rows(rows);
    for (column, is_numeric) in table.column_iter_mut().zip(numeric) {
        column.set_padding((0, 2));
        if is_numeric {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        say!("{}", line.trim_end());
    }
}

/// Whether it begins with a number: `2/3`, `12 %`, `1 GiB of 2 GiB`; addresses and ids do not.
fn is_number(cell: &str) -> bool {
    cell.split([' ', '/']).next().is_some_and(|first| first.parse::<f64>().is_ok())
}

/// A value or a dash.
pub(super) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The stored word of a value.
pub(super) fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), |word| word.replace('_', " "))
}

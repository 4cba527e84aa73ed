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

/// Prints a value for programs.
pub(super) fn print<T: Serialize>(format: Format, value: &T) -> Result {
    let text = match format {
        Format::Yaml => serde_yaml_ng::to_string(value).map_err(|e| e.to_string()),
        Format::Json | Format::Table => {
            serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|e| e.to_string())
        }
    };
    print!("{}", text.map_err(Failure::unexpected)?);
    Ok(())
}

/// Prints rows for people; numbers stand at the right.
pub(super) fn table(heads: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        println!("None.");
        return;
    }
    let numeric: Vec<bool> = (0..heads.len())
        .map(|column| {
            rows.iter().all(|row| {
                let cell = row[column].trim();
                cell == "-" || cell.starts_with(|c: char| c.is_ascii_digit())
            })
        })
        .collect();
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
        println!("{}", line.trim_end());
    }
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

//! `bellwether backup download`: a backup becomes a file, whole or not at all.

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bellwether_client::Download;
use bellwether_model::Bytes;

use super::Context;
use super::failure::{Failure, Result};
use super::output::say;

/// Between two words on how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(context: &Context, id: &str, output: Option<PathBuf>) -> Result {
    let mut download = context.client.download_backup(id).await?;
    let output = match output {
        Some(path) => path,
        None => PathBuf::from(download.name().unwrap_or_else(|| format!("{id}.tar"))),
    };
    if output == Path::new("-") {
        return receive(&mut download, &mut std::io::stdout()).await.map(drop);
    }
    if output.exists() {
        return Err(Failure::usage(format!("{} is there already", output.display())));
    }
    let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", output.display()));
    let mut name = output.clone().into_os_string();
    name.push(".part");
    let part = PathBuf::from(name);
    let mut file = std::fs::File::create(&part).map_err(failed)?;
    let received = receive(&mut download, &mut file).await;
    let received = received.and_then(|bytes| {
        file.sync_all().and_then(|()| std::fs::rename(&part, &output)).map_err(failed)?;
        Ok(bytes)
    });
    if received.is_err() {
        // Half a backup is none.
        let _ = std::fs::remove_file(&part);
    }
    let bytes = received?;
    say!("{}: {}", output.display(), Bytes(bytes));
    Ok(())
}

async fn receive(
    download: &mut Download,
    out: &mut dyn Write,
) -> std::result::Result<u64, Failure> {
    let failed = |error: std::io::Error| Failure::unexpected(error.to_string());
    let (begun, all) = (Instant::now(), download.size());
    let tells = std::io::stderr().is_terminal();
    let (mut done, mut told) = (0, None::<Instant>);
    while let Some(piece) = download.next().await? {
        out.write_all(&piece).map_err(failed)?;
        done += piece.len() as u64;
        if tells && told.is_none_or(|at| at.elapsed() > TELL_EVERY) {
            told = Some(Instant::now());
            eprint!("\r\x1b[K{}", words(done, all, begun.elapsed()));
        }
    }
    if told.is_some() {
        eprint!("\r\x1b[K");
    }
    out.flush().map_err(failed)?;
    Ok(done)
}

fn words(done: u64, all: Option<u64>, after: Duration) -> String {
    let speed = done as f64 / after.as_secs_f64().max(0.001);
    let of = all.map_or_else(String::new, |all| format!(" of about {}", Bytes(all.max(done))));
    format!("{}{of}, {} a second", Bytes(done), Bytes(speed as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_is_told_with_its_speed() {
        let told = words(10 << 20, Some(40 << 20), Duration::from_secs(2));
        assert_eq!(told, "10 MiB of about 40 MiB, 5 MiB a second");
        assert_eq!(words(1 << 20, None, Duration::from_secs(1)), "1 MiB, 1 MiB a second");
    }
}

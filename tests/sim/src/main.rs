//! `sim`: runs seeds, replays one, or shows that deliberate mistakes are caught.

use std::time::Instant;

use sim::run;
use sim::trace::Trace;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(seed) = number("--seed") {
        let outcome = run::run(seed, Trace::printing());
        println!("{outcome:?}");
        return std::process::ExitCode::from(u8::from(outcome.violation.is_some()));
    }
    let (from, count) = (number("--from").unwrap_or(1), number("--seeds").unwrap_or(500));
    let began = Instant::now();
    let (mut failed, mut simulated) = (0, 0);
    for seed in from..from + count {
        let outcome = run::run(seed, Trace::default());
        simulated += outcome.simulated_ms;
        if let Some(why) = outcome.violation {
            failed += 1;
            println!("seed {seed}: {why}");
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{count} seeds, {failed} failed, {} simulated minutes in {seconds:.1} s",
        simulated / 60_000
    );
    std::process::ExitCode::from(u8::from(failed > 0))
}

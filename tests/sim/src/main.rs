//! `sim`: runs seeds, or replays one with everything it says.

use std::process::ExitCode;
use std::time::Instant;

use sim::run;
use sim::trace::Trace;

/// Seeds that are tried for each deliberate mistake.
#[cfg(feature = "mutations")]
const SEEDS_OF_MUTATION: u64 = 6_000;

struct Arguments(Vec<String>);

impl Arguments {
    fn number(&self, name: &str) -> Option<u64> {
        let at = self.0.iter().position(|argument| argument == name)?;
        self.0.get(at + 1)?.parse().ok()
    }

    #[cfg(feature = "mutations")]
    fn text(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|argument| argument == name)?;
        self.0.get(at + 1).map(String::as_str)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments(std::env::args().skip(1).collect());
    #[cfg(feature = "mutations")]
    {
        let wanted = arguments.text("--mutation");
        if arguments.0.iter().any(|argument| argument == "--mutations") {
            return mutations(arguments.number("--seeds").unwrap_or(SEEDS_OF_MUTATION));
        }
        let found = bellwether_model::mutation::Mutation::ALL.iter();
        let found = found.copied().find(|mutation| Some(mutation.word()) == wanted);
        bellwether_model::mutation::mutate(found);
    }
    match arguments.number("--seed") {
        Some(seed) => replay(seed),
        None => seeds(
            arguments.number("--from").unwrap_or(1),
            arguments.number("--seeds").unwrap_or(500),
        ),
    }
}

/// One seed, told as it goes.
fn replay(seed: u64) -> ExitCode {
    let outcome = run::run(seed, Trace::printing());
    println!("{outcome:?}");
    ExitCode::from(u8::from(outcome.violation.is_some()))
}

fn seeds(from: u64, count: u64) -> ExitCode {
    let began = Instant::now();
    let (mut failed, mut simulated) = (0, 0);
    for seed in from..from + count {
        let outcome = run::run(seed, Trace::default());
        simulated += outcome.simulated_ms;
        if let Some(why) = outcome.violation {
            failed += 1;
            println!("seed {seed}: {why}\n  replay it: make sim SEED={seed}");
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let minutes = simulated / 60_000;
    println!("{count} seeds, {failed} failed; {minutes} simulated minutes in {seconds:.1} s");
    let simulated_s = simulated / 1_000;
    println!(
        "{{\"bench\":\"sim\",\"runs\":{count},\"seeds\":{count},\"failed\":{failed},\
         \"simulated_s\":{simulated_s}}}"
    );
    ExitCode::from(u8::from(failed > 0))
}

/// Each mistake is made until a seed notices it.
#[cfg(feature = "mutations")]
fn mutations(seeds: u64) -> ExitCode {
    use bellwether_model::mutation::{Mutation, mutate};
    let mut caught = 0;
    println!("{:<28} {:>6}  noticed as", "mistake", "seed");
    for mutation in Mutation::ALL {
        mutate(Some(*mutation));
        let found =
            (1..=seeds).find_map(|seed| Some((seed, run::run(seed, Trace::default()).violation?)));
        match found {
            Some((seed, why)) => {
                caught += 1;
                println!("{:<28} {seed:>6}  {why}", mutation.word());
            }
            None => println!("{:<28} {:>6}  not noticed", mutation.word(), "-"),
        }
    }
    mutate(None);
    let all = Mutation::ALL.len();
    println!("{{\"bench\":\"sim-mutations\",\"mutations\":{all},\"caught\":{caught}}}");
    ExitCode::from(u8::from(caught < all))
}

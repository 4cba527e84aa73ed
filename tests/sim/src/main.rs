//! `sim`: runs seeds, or replays one with everything it says.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

#[cfg(feature = "mutations")]
use bellwether_model::mutation::Mutation;
use clap::Parser;
use sim::run::{self, Outcome};
use sim::trace::Trace;

/// A world is many small things that live for a moment.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds that are tried for each deliberate mistake.
#[cfg(feature = "mutations")]
const SEEDS_OF_MUTATION: u64 = 6_000;

/// Runs the real decisions over a simulated world.
#[derive(Parser)]
struct Arguments {
    /// Replay this seed, telling everything
    #[arg(long)]
    seed: Option<u64>,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many seeds, 500 when left out; with `--mutations`, how many for each
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Make each deliberate mistake, and look whether a seed notices
    #[cfg(feature = "mutations")]
    #[arg(long)]
    mutations: bool,
    /// Make this mistake
    #[cfg(feature = "mutations")]
    #[arg(long, value_parser = mutation)]
    mutation: Option<Mutation>,
}

#[cfg(feature = "mutations")]
fn mutation(word: &str) -> Result<Mutation, String> {
    let found = Mutation::ALL.iter().copied().find(|mutation| mutation.word() == word);
    found.ok_or_else(|| {
        let all: Vec<_> = Mutation::ALL.iter().map(|mutation| mutation.word()).collect();
        format!("there are {}", all.join(", "))
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(feature = "mutations")]
    if arguments.mutations {
        return mutations(arguments.seeds.unwrap_or(SEEDS_OF_MUTATION));
    }
    let begin = || begin(&arguments);
    match arguments.seed {
        Some(seed) => {
            begin();
            replay(seed)
        }
        None => seeds(arguments.from, arguments.seeds.unwrap_or(500), begin),
    }
}

/// Makes the mistake that is asked for, on this thread.
#[cfg(feature = "mutations")]
fn begin(arguments: &Arguments) {
    bellwether_model::mutation::mutate(arguments.mutation);
}

#[cfg(not(feature = "mutations"))]
fn begin(_: &Arguments) {}

/// One seed, told as it goes.
fn replay(seed: u64) -> ExitCode {
    let outcome = run::run(seed, Trace::printing());
    println!("{outcome:?}");
    ExitCode::from(u8::from(outcome.violation.is_some()))
}

/// Runs seeds on every core; `begin` comes first on each thread, and the first outcome that `seen`
/// answers with `false` is the last. Returns the outcomes in the order of their seeds.
fn run_all(
    from: u64,
    count: u64,
    begin: impl Fn() + Sync,
    seen: impl Fn(&Outcome) -> bool + Sync,
) -> Vec<Outcome> {
    let next = AtomicU64::new(from);
    let is_over = AtomicBool::new(false);
    let work = || {
        begin();
        let mut outcomes = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + count {
                break;
            }
            let outcome = run::run(seed, Trace::default());
            if !seen(&outcome) {
                is_over.store(true, Ordering::Relaxed);
            }
            outcomes.push(outcome);
        }
        outcomes
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no run panics")).collect()
    });
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

fn seeds(from: u64, count: u64, begin: impl Fn() + Sync) -> ExitCode {
    let began = Instant::now();
    let tell = |outcome: &Outcome| {
        if let Some(why) = &outcome.violation {
            let seed = outcome.seed;
            println!("seed {seed}: {why}\n  replay it: make sim SEED={seed}");
        }
        true
    };
    let outcomes = run_all(from, count, begin, tell);
    let failed = outcomes.iter().filter(|outcome| outcome.violation.is_some()).count();
    let simulated: u64 = outcomes.iter().map(|outcome| outcome.simulated_ms).sum();
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
        let make = || mutate(Some(*mutation));
        let outcomes = run_all(1, seeds, make, |outcome| outcome.violation.is_none());
        let found = outcomes.into_iter().find_map(|it| Some((it.seed, it.violation?)));
        match found {
            Some((seed, why)) => {
                caught += 1;
                println!("{:<28} {seed:>6}  {why}", mutation.word());
            }
            None => println!("{:<28} {:>6}  not noticed", mutation.word(), "-"),
        }
    }
    let all = Mutation::ALL.len();
    println!("{{\"bench\":\"sim-mutations\",\"mutations\":{all},\"caught\":{caught}}}");
    ExitCode::from(u8::from(caught < all))
}

//! The tools by themselves: the same data on a machine of the same size; the same store for restic,
//! the machine's own disk, which is nearer, for the others.

use std::time::Instant;

use bellwether_testkit::docker::{docker, inside};
use bellwether_testkit::s3::S3;

use super::{Figures, Work, cpu_seconds, fill, machine};

const IMAGE: &str = "bellwether/bench-backup";

/// Makes the database, as its owner in its home.
const MAKE: &str = "
cat >/etc/pgbackrest.conf <<'END'
[global]
repo1-path=/data/pgbackrest
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=secret
repo1-retention-full=2
compress-type=zst
start-fast=y
log-path=/data
lock-path=/data
[bench]
pg1-path=/data/pg
pg1-socket-path=/tmp
END
cat >/data/as-owner <<'END'
#!/bin/sh
PATH=/usr/lib/postgresql/17/bin:$PATH HOME=/data
cd /data && exec setpriv --reuid postgres --regid postgres --init-groups env PATH=$PATH \
  HOME=/data \"$@\"
END
chmod 755 /data/as-owner
/data/as-owner initdb --data-checksums --pgdata pg >/dev/null
cat >>/data/pg/postgresql.conf <<'END'
unix_socket_directories = '/tmp'
archive_mode = on
archive_command = 'pgbackrest --stanza=bench archive-push %p'
END
/data/as-owner pg_ctl start --wait --silent --pgdata pg --log log
";

/// A container with a database and the tools.
pub(super) struct Tools {
    name: String,
    /// What restic and Borg have to know.
    environment: String,
    bytes: u64,
}

impl Tools {
    /// Makes the data.
    pub(super) fn start(store: &S3, rows: u64) -> anyhow::Result<Self> {
        let name = format!("bw-bench-backup-{}", std::process::id());
        let environment = format!(
            "export RESTIC_REPOSITORY=s3:{}/alone RESTIC_PASSWORD=secret AWS_ACCESS_KEY_ID=access \
             AWS_SECRET_ACCESS_KEY=secret RESTIC_CACHE_DIR=/data/cache \
             BORG_REPO=/data/borg BORG_PASSPHRASE=secret BORG_BASE_DIR=/data/borg-home",
            store.url()
        );
        let mut tools = Self { name, environment, bytes: 0 };
        machine(&tools.name, IMAGE)?;
        tools.run(MAKE)?;
        tools.run(
            "/data/as-owner pgbackrest --stanza=bench --log-level-console=warn stanza-create",
        )?;
        for statement in fill(rows) {
            tools.run(&format!("/data/as-owner psql -qX -h /tmp postgres -c '{statement}'"))?;
        }
        tools.bytes = tools.run("du -sb /data/pg | cut -f1")?.trim().parse()?;
        Ok(tools)
    }

    fn run(&self, line: &str) -> anyhow::Result<String> {
        inside(&self.name, &format!("set -e; {}\n{line}", self.environment))
    }

    fn time(&self, line: &str) -> anyhow::Result<Work> {
        let (before, begun) = (cpu_seconds(&self.name)?, Instant::now());
        self.run(line)?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Work { seconds, cpu_seconds: cpu_seconds(&self.name)? - before })
    }

    /// A full backup and a restore by each.
    pub(super) fn measure(&self, figures: &mut Figures) -> anyhow::Result<()> {
        let pgbackrest = "/data/as-owner pgbackrest --stanza=bench --log-level-console=warn";
        let steps = [
            (
                "pgbackrest",
                String::new(),
                format!("{pgbackrest} --type=full backup"),
                format!("{pgbackrest} --pg1-path=/data/back restore"),
            ),
            (
                "tool",
                "/data/as-owner pg_ctl stop --silent --pgdata pg; \
                 restic -q -o s3.bucket-lookup=path init --repository-version 2"
                    .to_owned(),
                "restic -q -o s3.bucket-lookup=path backup /data/pg".to_owned(),
                "restic -q -o s3.bucket-lookup=path restore latest --target /data/back".to_owned(),
            ),
            (
                "borg",
                "borg init --encryption=repokey-blake2".to_owned(),
                "borg create ::first /data/pg".to_owned(),
                "cd /data/back && borg extract ::first".to_owned(),
            ),
        ];
        for (name, before, backup, restore) in steps {
            self.run(&format!("rm -rf /data/back; /data/as-owner mkdir -m 700 back\n{before}"))?;
            let work = self.time(&backup)?;
            figures.add_work(&format!("{name}_backup"), self.bytes, work);
            let work = self.time(&format!("{restore}\nsync -f /data"))?;
            figures.add_work(&format!("{name}_restore"), self.bytes, work);
        }
        Ok(())
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

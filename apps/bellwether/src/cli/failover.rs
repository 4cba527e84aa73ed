//! `bellwether failover …`: a person's word where automation may not decide.

use bellwether_model::OperationKind;
use bellwether_model::operation::NewOperation;
use clap::Args;

use super::failure::Result;
use super::{Acting, Context};

#[derive(Args)]
pub(crate) struct Failover {
    cluster: String,
    /// What the lost primary had and no replica has may be lost
    #[arg(long, required = true)]
    allow_loss: bool,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn run(context: &Context, wanted: Failover) -> Result {
    let request = NewOperation {
        allow_loss: wanted.allow_loss,
        ..NewOperation::of(OperationKind::Failover, None)
    };
    let plan = context.client.plan(&wanted.cluster, &request).await?;
    if wanted.acting.plan {
        return context.show_plan(&plan);
    }
    super::refuse_refused(&plan)?;
    if !wanted.acting.yes {
        context.explain(&plan);
        context.confirm(&wanted.acting, "Go on, and lose it?")?;
    }
    let operation = context.client.operate(&wanted.cluster, &request).await?;
    context.follow(operation, &wanted.acting).await
}

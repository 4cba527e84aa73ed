//! The steps of the operations: what is stored of each, and what people read.

use bellwether_model::OperationKind;

/// Stored name and title of each, in order.
type Steps = &'static [(&'static str, &'static str)];

const RECONFIGURE: Steps = &[
    ("check", "Check that settings can be changed now"),
    ("replicas", "Change the replicas, one at a time"),
    ("primary", "Change the primary"),
    ("rest", "Change what replicas take last"),
    ("verify", "Verify what is in force on every node"),
];

const DRILL: Steps = &[
    ("check", "Check that nothing else can go wrong"),
    ("strike", "Take the role from the primary"),
    ("await_change", "Wait for the change of primary"),
    ("await_whole", "Wait until every node follows again"),
    ("write_result", "Write down what was measured"),
];

const CREATE_CLUSTER: Steps = &[
    ("reserve_network", "Reserve a network"),
    ("reserve_nodes", "Reserve the nodes"),
    ("acquire_machines", "Make the machines"),
    ("await_agents", "Wait for the agents"),
    ("bootstrap_primary", "Create the database"),
    ("await_primary", "Wait for the primary"),
    ("seed_replicas", "Copy the data to the replicas"),
    ("await_replicas", "Wait for the replicas"),
    ("open_endpoints", "Open the endpoints"),
];

const ADD_NODE: Steps = &[
    ("reserve_node", "Reserve a node"),
    ("acquire_machine", "Make the machine"),
    ("await_agent", "Wait for the agent"),
    ("seed", "Copy the data"),
    ("await_catch_up", "Wait until it has caught up"),
    ("admit", "Admit it to the endpoints"),
];

const REMOVE_NODE: Steps = &[
    ("check_quorum", "Check that the rest can do without"),
    ("withdraw", "Withdraw it from votes and endpoints"),
    ("release_machine", "Delete the machine and its disk"),
    ("forget", "Forget the node"),
];

const REPLACE_NODE: Steps = &[
    ("check", "Check that it can be replaced"),
    ("hand_over", "Move the primary, should it be here"),
    ("reserve_node", "Reserve a node"),
    ("acquire_machine", "Make its machine"),
    ("await_agent", "Wait for its agent"),
    ("seed", "Copy the data"),
    ("await_catch_up", "Wait until it has caught up"),
    ("admit", "Give it a vote and clients"),
    ("move_role", "Move the primary, should it still be on the former node"),
    ("withdraw", "Withdraw the former node from votes and endpoints"),
    ("release_machine", "Delete its machine and its disk"),
    ("forget", "Forget the former node"),
];

const SWITCHOVER: Steps = &[
    ("check_candidate", "Check the replica"),
    ("prepare", "Prepare the primary for a quick stop"),
    ("hold_writes", "Hold new connections"),
    ("surrender", "Let the primary give up its role"),
    ("advance_term", "Begin the new term"),
    ("await_primary", "Wait for the new primary"),
    ("repoint", "Let the others follow it"),
];

const FAILOVER: Steps = &[
    ("confirm_loss", "Confirm the loss"),
    ("collect_promises", "Collect promises"),
    ("await_fence", "Wait until the former primary is fenced"),
    ("choose_candidate", "Choose the most advanced replica"),
    ("rescue_tail", "Take the end of the log from the former primary"),
    ("advance_term", "Begin the new term"),
    ("await_primary", "Wait for the new primary"),
    ("repoint", "Let the others follow it"),
    ("write_report", "Write the report"),
];

const REJOIN: Steps = &[
    ("start_machine", "Start the machine"),
    ("await_agent", "Wait for the agent"),
    ("align", "Make its data fit to follow"),
    ("await_catch_up", "Wait until it has caught up"),
    ("admit", "Give it its vote back"),
];

const DRAIN: Steps = &[
    ("check", "Check that the others can do without"),
    ("hand_over", "Move the primary, should it be here"),
    ("withdraw", "Withdraw it from votes and endpoints"),
];

const UNDRAIN: Steps = &[
    ("start_machine", "Start the machine, should it be off"),
    ("await_agent", "Wait for the agent"),
    ("await_catch_up", "Wait until it has caught up"),
    ("admit", "Give it its vote and its clients back"),
];

const REBOOT: Steps = &[
    ("check", "Check that the others can do without"),
    ("hand_over", "Move the primary, should it be here"),
    ("withdraw", "Withdraw it from votes and endpoints"),
    ("stop_machine", "Stop the machine"),
    ("start_machine", "Start the machine"),
    ("await_agent", "Wait for the agent"),
    ("await_catch_up", "Wait until it has caught up"),
    ("admit", "Give it its vote and its clients back"),
];

const RESIZE: Steps = &[
    ("check", "Check that the others can do without"),
    ("hand_over", "Move the primary, should it be here"),
    ("withdraw", "Withdraw it from votes and endpoints"),
    ("stop_machine", "Stop the machine"),
    ("resize_machine", "Give the machine its new size"),
    ("start_machine", "Start the machine"),
    ("await_agent", "Wait for the agent"),
    ("await_catch_up", "Wait until it has caught up"),
    ("admit", "Give it its vote and its clients back"),
];

const RESHARD: Steps = &[
    ("add_shards", "Make the new shards"),
    ("move_slots", "Move slots, while clients go on"),
    ("remove_shards", "Delete the shards that are left without slots"),
];

const RESTORE: Steps = &[
    ("check", "Check that the data can be replaced now"),
    ("back_up", "Store what is there now"),
    ("bring", "Bring the backup beside it"),
    ("stop", "Let the primary give up its role"),
    ("exchange", "Put the backup in the place of the data"),
    ("begin_term", "Begin a new term"),
    ("await_primary", "Wait for the primary"),
];

const UNDO_RESTORE: Steps = &[
    ("check", "Check that the data can be replaced now"),
    ("bring", "Make what was set aside ready"),
    ("stop", "Let the primary give up its role"),
    ("exchange", "Put it in the place of the data"),
    ("begin_term", "Begin a new term"),
    ("await_primary", "Wait for the primary"),
];

const KEEP_RESTORED: Steps = &[("drop_former", "Remove the data that was set aside")];

const BACKUP: Steps = &[
    ("choose_source", "Choose the node to take it from"),
    ("take", "Store the data in the repository"),
    ("expire", "Let go of backups that are no longer kept"),
];

const PROVE: Steps = &[
    ("reserve_network", "Reserve a network"),
    ("reserve_nodes", "Reserve a scratch node"),
    ("acquire_machines", "Make its machine"),
    ("await_agents", "Wait for its agent"),
    ("restore", "Restore the backup"),
    ("await_primary", "Wait for the engine"),
    ("look_through", "Look through the data"),
    ("write_result", "Write down what was found"),
    ("release_machines", "Delete the machine and its disk"),
    ("release_network", "Delete the network"),
    ("verify_empty", "Verify that nothing is left"),
    ("forget", "Forget the scratch node"),
];

const DELETE_CLUSTER: Steps = &[
    ("back_up", "Take a last backup, should one be asked for"),
    ("withdraw", "Close the endpoints"),
    ("release_machines", "Delete the machines and their disks"),
    ("release_network", "Delete the network"),
    ("verify_empty", "Verify that nothing is left"),
    ("forget", "Forget the cluster"),
];

/// The steps of an operation: stored name and title, in order.
#[must_use]
pub fn steps(kind: OperationKind) -> Steps {
    match kind {
        OperationKind::CreateCluster => CREATE_CLUSTER,
        OperationKind::AddNode => ADD_NODE,
        OperationKind::RemoveNode => REMOVE_NODE,
        OperationKind::ReplaceNode => REPLACE_NODE,
        OperationKind::Switchover => SWITCHOVER,
        OperationKind::Failover => FAILOVER,
        OperationKind::Rejoin => REJOIN,
        // The steps of each replica follow: `resync::steps`.
        OperationKind::Resync => &[("check", "Check that the others can do without")],
        OperationKind::Reconfigure => RECONFIGURE,
        OperationKind::Drill => DRILL,
        OperationKind::Drain => DRAIN,
        OperationKind::Undrain => UNDRAIN,
        OperationKind::Reboot => REBOOT,
        OperationKind::Resize => RESIZE,
        OperationKind::Reshard => RESHARD,
        OperationKind::Restore => RESTORE,
        OperationKind::UndoRestore => UNDO_RESTORE,
        OperationKind::KeepRestored => KEEP_RESTORED,
        OperationKind::Backup => BACKUP,
        OperationKind::Prove => PROVE,
        OperationKind::DeleteCluster => DELETE_CLUSTER,
    }
}

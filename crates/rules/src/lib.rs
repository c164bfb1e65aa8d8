//! One file per rule, and the policy that picks a rule per node.

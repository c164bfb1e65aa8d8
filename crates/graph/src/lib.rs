//! Wire model, validation, shape facts, graph, rewrites and the contracts of operators and rules.

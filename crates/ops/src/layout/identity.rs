//! Identity, and Dropout in inference mode, which is the identity.
use deeplift_graph::{ensure, Build, Operator, Result};

/// Refuses a Dropout that is exported in training mode.
pub fn build(cx: &Build<'_>) -> Result<Box<dyn Operator>> {
    if cx.op == "Dropout" {
        let training = cx.optional_constant(2, "training_mode")?.is_some_and(|c| c.scalar() != Some(0.0));
        ensure!(
            !training,
            UnsupportedModel,
            "Dropout in training mode is random; export the model after model.eval()"
        );
    }
    let x = cx.input(0)?;
    super::view(cx, x.shape.clone(), x.dtype)
}

//! Instruction-set tokens, vector types, dispatch and aligned buffers.

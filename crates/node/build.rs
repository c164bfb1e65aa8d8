//! Build script: N-API symbols, and a library that is never unmapped.
fn main() {
    napi_build::setup();
    // Node unloads an addon when the last worker that loaded it ends, while our threads may still be returning from
    // their last step. The library therefore stays mapped.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg-cdylib=-Wl,-z,nodelete");
    }
}

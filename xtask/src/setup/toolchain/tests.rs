use super::llvm_major;

#[test]
fn the_llvm_of_a_compiler_is_read_from_its_version() {
    let verbose = "rustc 1.96.0\nhost: x86_64-unknown-linux-gnu\nLLVM version: 22.1.4";
    assert_eq!(llvm_major(verbose), Some(22));
    assert_eq!(llvm_major("rustc 1.96.0"), None);
}

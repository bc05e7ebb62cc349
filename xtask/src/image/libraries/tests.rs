use super::*;

#[test]
fn libraries_and_the_loader_are_found_and_the_vdso_is_not() {
    let text = "\
\tlinux-vdso.so.1 (0x00007ffd)
\tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007e)
\t/lib64/ld-linux-x86-64.so.2 (0x00007d)";
    let expected = [
        "/lib/x86_64-linux-gnu/libgcc_s.so.1",
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/ld-linux-x86-64.so.2",
    ];
    assert_eq!(read(text).unwrap(), expected.map(PathBuf::from));
}

#[test]
fn a_static_program_needs_nothing() {
    assert_eq!(read("\tstatically linked").unwrap(), Vec::<PathBuf>::new());
}

#[test]
fn a_missing_library_is_an_error_that_names_it() {
    let error = read("\tlibodd.so.1 => not found").unwrap_err();
    assert!(error.to_string().contains("libodd.so.1"), "{error}");
}

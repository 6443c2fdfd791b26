//! Documents that repeat what the code says are held to it.

use std::path::Path;

use voxpost_proto::ErrorCode;

#[test]
fn the_table_of_errors_is_whole() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let text = std::fs::read_to_string(&path).expect("docs/errors.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let wanted: Vec<String> = ErrorCode::ALL
        .iter()
        .map(|code| format!("| `{}` | {} | {} |", code.as_str(), code.status(), code.advice()))
        .collect();
    assert_eq!(rows, wanted, "write the table in {} anew", path.display());
}

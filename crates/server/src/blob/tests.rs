//! What every backend must do.

use futures_util::TryStreamExt;

use super::pending::StoredObject;
use super::*;

async fn blobs() -> (tempfile::TempDir, Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let config = crate::testing::config(dir.path(), &[]);
    let blobs = Blobs::open(dir.path(), &config.s3).unwrap();
    (dir, blobs)
}

async fn put(blobs: &Blobs, dir: &FilePath, key: &str, bytes: &[u8]) -> StoredObject {
    let mut object = PendingObject::new(dir);
    io::Write::write_all(&mut object, bytes).unwrap();
    object.finish().unwrap().put(blobs, key).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_read_as_it_was_written_whole_and_in_parts() {
    let (dir, blobs) = blobs().await;
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i * 7) as u8).collect();
    let key = message_key(Uuid::from_u128(0xab));
    assert_eq!(key, "messages/ab/00000000-0000-0000-0000-0000000000ab.ogg");
    let stored = put(&blobs, dir.path(), &key, &bytes).await;
    assert_eq!(stored.size_bytes, 1_000_000);
    let (owner, name) = (blobs.clone(), key.clone());
    let whole = move || {
        let mut whole = Vec::new();
        owner
            .open_blocking(&name)
            .unwrap()
            .read_to_end(&mut whole)
            .unwrap();
        whole
    };
    assert_eq!(std::thread::spawn(whole).join().unwrap(), bytes);
    assert_eq!(blobs.read(&key, 10..20).await.unwrap(), bytes[10..20]);
    let streamed: Vec<Bytes> = blobs.stream(&key, 5..900_000).try_collect().await.unwrap();
    assert!(streamed.iter().all(|piece| piece.len() as u64 <= PIECE));
    assert_eq!(streamed.concat(), bytes[5..900_000]);
    assert_eq!(blobs.list(0xab).await.unwrap()[0].key, key);
}

#[test]
fn a_key_tells_its_message_and_another_spelling_does_not() {
    let key = message_key(Uuid::from_u128(0xab));
    assert_eq!(message_of(&key), Some(Uuid::from_u128(0xab)));
    let other = rendition_key(Uuid::from_u128(0xab), "webm");
    assert_eq!(message_of(&other), Some(Uuid::from_u128(0xab)));
    assert_eq!(message_of(&other.replace("/ab/", "/ac/")), None);
    assert_eq!(message_of("messages/ab/notes.txt"), None);
}

#[tokio::test]
async fn what_a_killed_writer_left_is_removed_when_it_is_old() {
    let (dir, blobs) = blobs().await;
    let key = message_key(Uuid::from_u128(1));
    put(&blobs, dir.path(), &key, b"sound").await;
    let partial = dir.path().join("objects").join(format!("{key}#1"));
    fs::write(&partial, b"so").unwrap();
    assert_eq!(blobs.remove_partial(SystemTime::UNIX_EPOCH).await.unwrap(), 0);
    let later = SystemTime::now() + std::time::Duration::from_secs(60);
    assert_eq!(blobs.remove_partial(later).await.unwrap(), 1);
    assert!(!partial.exists() && blobs.exists(&key).await.unwrap());
}

#[tokio::test]
async fn deleting_twice_is_no_error_and_leaves_nothing() {
    let (dir, blobs) = blobs().await;
    let key = message_key(Uuid::from_u128(1));
    put(&blobs, dir.path(), &key, b"sound").await;
    assert!(blobs.exists(&key).await.unwrap());
    blobs.delete(&key).await.unwrap();
    blobs.delete(&key).await.unwrap();
    assert!(!blobs.exists(&key).await.unwrap());
    assert!(matches!(blobs.read(&key, 0..1).await, Err(BlobError::NotFound)));
}

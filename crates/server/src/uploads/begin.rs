//! A new upload.

use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::upload::Upload;

use super::staging;
use crate::app::App;
use crate::blob::BlobError;
use crate::error::{ApiError, ApiResult};
use crate::store::uploads::{self, UploadRow};
use crate::{access, clock};

/// What the owner says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Begin {
    /// Its id, where it is made already.
    pub(crate) id: Option<Uuid>,
    /// In bytes; None while it is not known.
    pub(crate) length: Option<u64>,
    pub(crate) conversation_id: Option<Uuid>,
    pub(crate) client_id: Option<Uuid>,
    pub(crate) reply_to: Option<Uuid>,
    pub(crate) caption: Option<String>,
    /// As it was given, to be told again.
    pub(crate) metadata: Option<String>,
}

/// Makes an upload; it is durable when this returns.
pub(crate) async fn begin(app: &App, user_id: Uuid, asked: Begin) -> ApiResult<UploadRow> {
    let now = clock::now();
    let machine = Upload::new(asked.length, app.uploads.limits, now)?;
    {
        let mut c = app.store.read().await?;
        if let Some(conversation_id) = asked.conversation_id {
            access::send_voice(&mut c, user_id, conversation_id).await?;
        }
        let open = uploads::open_of_user(&mut c, user_id).await?;
        let most = app.config.max_uploads_per_user;
        if most > 0 && open.unsigned_abs() >= most {
            let detail =
                format!("{open} uploads of yours are not finished (max_uploads_per_user). End some.");
            return Err(ApiError::new(ErrorCode::RateLimited, detail).retry_after(60));
        }
    }
    if asked.conversation_id.is_some() {
        app.limits.message(user_id)?;
    }
    let mut row = UploadRow {
        id: asked.id.unwrap_or_else(clock::new_id),
        user_id,
        conversation_id: asked.conversation_id,
        client_id: asked.client_id,
        reply_to: asked.reply_to,
        caption: asked.caption,
        metadata: asked.metadata,
        state: "receiving".to_owned(),
        created_at: now.millis(),
        updated_at: now.millis(),
        ..UploadRow::default()
    };
    row.set_machine(&machine);
    let path = app.uploads.path(row.id);
    tokio::task::spawn_blocking(move || staging::create(&path))
        .await
        .map_err(ApiError::internal)?
        .map_err(BlobError::from)?;
    let new = row.clone();
    let inserted: ApiResult<()> = app
        .store
        .write(move |c| Box::pin(async move { Ok(uploads::insert(c, &new).await?) }))
        .await;
    if inserted.is_err() {
        super::sweep::remove_file(app, row.id).await;
    }
    inserted.map(|()| row)
}

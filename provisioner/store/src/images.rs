//! OS images of the site: the signed manifest, the reference values of what it boots, and the blob's address.

use cairn_contract::{Digest, ImageManifest, Signed, Timestamp};

use crate::{
    ReadError, Store, WriteError,
    db::{Row, Tx, sql},
    row,
};

/// One version of one image. `manifest` is what hosts get; the other fields repeat what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Name.
    pub name: String,
    /// Grows.
    pub version: u64,
    /// For people.
    pub os_version: String,
    /// When it was signed.
    pub created: Timestamp,
    /// Until when it may be installed.
    pub expires: Timestamp,
    /// Signed by the site.
    pub manifest: Signed<ImageManifest>,
    /// Reference values of its boot, JSON of `trust`'s.
    pub reference: String,
    /// Address of its bytes.
    pub blob: Digest,
    /// Bytes of the blob.
    pub size: u64,
}

/// Why an image was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddImageError {
    /// This very version is there.
    #[error("image {name} version {version} exists already")]
    Exists {
        /// Image name.
        name: String,
        /// The version.
        version: u64,
    },
    /// A newer one is there.
    #[error("image {name} version {version} is older than version {present}, which is present")]
    Older {
        /// Image name.
        name: String,
        /// The refused version.
        version: u64,
        /// The newest one.
        present: u64,
    },
    /// The database failed.
    #[error("cannot write the database")]
    Write(#[from] WriteError),
}

impl Store {
    /// Adds an image; its blob must be stored before.
    pub async fn add_image(&self, image: &Image) -> Result<(), AddImageError> {
        let mut tx = self.begin().await.map_err(WriteError::from)?;
        let newest = newest(&mut tx, &image.name).await.map_err(WriteError::from)?;
        let (name, version) = (image.name.clone(), image.version);
        match newest {
            Some(present) if present == version => return Err(AddImageError::Exists { name, version }),
            Some(present) if present > version => {
                return Err(AddImageError::Older { name, version, present });
            }
            Some(_) | None => {}
        }
        insert(&mut tx, image).await?;
        tx.commit().await.map_err(WriteError::from)?;
        Ok(())
    }

    /// The newest version of the image `name`.
    pub async fn image(&self, name: &str) -> Result<Option<Image>, ReadError> {
        let row = sql("SELECT * FROM image WHERE name = $1 ORDER BY version DESC LIMIT 1").bind(name);
        row.fetch_optional(self.reader()).await?.as_ref().map(image_of).transpose()
    }

    /// All versions of all images, by name, the newest first.
    pub async fn images(&self) -> Result<Vec<Image>, ReadError> {
        let rows = sql("SELECT * FROM image ORDER BY name, version DESC");
        rows.fetch_all(self.reader()).await?.iter().map(image_of).collect()
    }
}

async fn newest(tx: &mut Tx, name: &str) -> Result<Option<u64>, ReadError> {
    let row = sql("SELECT version FROM image WHERE name = $1 ORDER BY version DESC LIMIT 1")
        .bind(name)
        .fetch_optional(tx)
        .await?;
    row.map(|r| row::natural(&r, "version")).transpose()
}

async fn insert(tx: &mut Tx, image: &Image) -> Result<(), WriteError> {
    sql("INSERT INTO image (name, version, os_version, created, expires, manifest, reference, blob, size) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
    .bind(&image.name)
    .bind(i64::try_from(image.version)?)
    .bind(&image.os_version)
    .bind(image.created.0)
    .bind(image.expires.0)
    .bind(serde_json::to_string(&image.manifest)?)
    .bind(&image.reference)
    .bind(image.blob.to_string())
    .bind(i64::try_from(image.size)?)
    .execute(tx)
    .await?;
    Ok(())
}

fn image_of(row: &Row) -> Result<Image, ReadError> {
    Ok(Image {
        name: row::text(row, "name")?,
        version: row::natural(row, "version")?,
        os_version: row::text(row, "os_version")?,
        created: row::time(row, "created")?,
        expires: row::time(row, "expires")?,
        manifest: row::json(row, "manifest")?,
        reference: row::text(row, "reference")?,
        blob: row::parsed(row, "blob")?,
        size: row::natural(row, "size")?,
    })
}

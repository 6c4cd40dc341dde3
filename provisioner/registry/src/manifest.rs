//! Manifests: what kind one is, and what it refers to (image-spec manifest.md and image-index.md, Docker's schema 2).

use std::collections::BTreeMap;

use cairn_contract::Digest;
use serde::{Deserialize, Serialize};

use crate::{DigestError, digest::written, parse_digest};

/// The kinds of manifests that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `application/vnd.oci.image.manifest.v1+json`
    Image,
    /// `application/vnd.oci.image.index.v1+json`
    Index,
    /// `application/vnd.docker.distribution.manifest.v2+json`
    DockerImage,
    /// `application/vnd.docker.distribution.manifest.list.v2+json`
    DockerList,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Image, Self::Index, Self::DockerImage, Self::DockerList];

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Image => "application/vnd.oci.image.manifest.v1+json",
            Self::Index => "application/vnd.oci.image.index.v1+json",
            Self::DockerImage => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    /// By its media type, whose parameters do not matter.
    pub fn of(media_type: &str) -> Option<Self> {
        let plain = media_type.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|kind| kind.media_type().eq_ignore_ascii_case(plain))
    }

    /// Whether it lists other manifests.
    pub fn lists(self) -> bool {
        matches!(self, Self::Index | Self::DockerList)
    }
}

/// Why bytes are no manifest that can be kept.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Of a media type that is not kept.
    #[error(
        "manifests of the media type `{0}` are not kept: push an OCI image manifest or index, or Docker's schema 2"
    )]
    MediaType(String),
    /// Sent as one thing, and says that it is another.
    #[error("sent as {sent}, but its mediaType is `{says}`")]
    Disagree {
        /// By the header.
        sent: &'static str,
        /// By itself.
        says: String,
    },
    /// No JSON of the right form.
    #[error("not a manifest")]
    Json(#[from] serde_json::Error),
    /// Another version.
    #[error("schemaVersion must be 2")]
    Version,
    /// Could be read as image or as index: no two readers would agree (CVE-2021-41190).
    #[error("has the fields of an image and of an index")]
    Ambiguous,
    /// Lacks what its kind must have.
    #[error("lacks `{0}`")]
    Lacks(&'static str),
    /// A digest in it.
    #[error("names content by what is no digest")]
    Digest(#[from] DigestError),
    /// More bytes than anybody has a use for.
    #[error("larger than {0} bytes")]
    Large(usize),
}

/// The largest manifest that is taken, in bytes: what the specification asks registries to take at least.
pub(crate) const LARGEST: usize = 4 << 20;

/// What a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub kind: Kind,
    /// Config and layers that must be in the repository.
    pub blobs: Vec<Content>,
    /// Layers that are fetched from elsewhere by their URLs; they may be here, too.
    pub foreign: Vec<Digest>,
    /// Manifests that an index lists.
    pub children: Vec<Digest>,
    /// The manifest that it says something about.
    pub subject: Option<Digest>,
    /// What an artifact is: `artifactType`, else the config's media type.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// One blob and how many bytes it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Its name.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<WireDescriptor>,
    layers: Option<Vec<WireDescriptor>>,
    manifests: Option<Vec<WireDescriptor>>,
    subject: Option<WireDescriptor>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDescriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    urls: Option<Vec<String>>,
}

/// An entry of the answer to `GET referrers`, and the file that keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads one that was sent as `media_type`; an absent one is taken from the manifest itself.
    ///
    /// # Errors
    /// [`ManifestError`]; never panics.
    pub fn parse(bytes: &[u8], media_type: Option<&str>) -> Result<Self, ManifestError> {
        if bytes.len() > LARGEST {
            return Err(ManifestError::Large(LARGEST));
        }
        let sent = media_type.map(|m| Kind::of(m).ok_or_else(|| ManifestError::MediaType(m.to_owned())));
        let sent = sent.transpose()?;
        let wire: Wire = serde_json::from_slice(bytes)?;
        let kind = kind_of(&wire, sent)?;
        if wire.schema_version != 2 {
            return Err(ManifestError::Version);
        }
        if wire.manifests.is_some() && (wire.config.is_some() || wire.layers.is_some()) {
            return Err(ManifestError::Ambiguous);
        }
        if kind.lists() { index(kind, wire) } else { image(kind, wire) }
    }

    /// How the referrers of its subject list it.
    pub(crate) fn descriptor(&self, digest: &Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: self.kind.media_type().to_owned(),
            digest: written(digest),
            size,
            artifact_type: self.artifact_type.clone(),
            annotations: self.annotations.clone(),
        }
    }
}

fn kind_of(wire: &Wire, sent: Option<Kind>) -> Result<Kind, ManifestError> {
    let says = wire.media_type.as_deref().filter(|m| !m.is_empty());
    match (sent, says) {
        (Some(kind), None) => Ok(kind),
        (Some(kind), Some(says)) if Kind::of(says) == Some(kind) => Ok(kind),
        (Some(kind), Some(says)) => {
            Err(ManifestError::Disagree { sent: kind.media_type(), says: says.to_owned() })
        }
        (None, Some(says)) => Kind::of(says).ok_or_else(|| ManifestError::MediaType(says.to_owned())),
        (None, None) if wire.manifests.is_some() => Ok(Kind::Index),
        (None, None) => Ok(Kind::Image),
    }
}

fn index(kind: Kind, wire: Wire) -> Result<Manifest, ManifestError> {
    let listed = wire.manifests.ok_or(ManifestError::Lacks("manifests"))?;
    let children = listed.iter().map(|d| parse_digest(&d.digest)).collect::<Result<_, _>>()?;
    Ok(Manifest {
        kind,
        blobs: Vec::new(),
        foreign: Vec::new(),
        children,
        subject: wire.subject.map(|s| parse_digest(&s.digest)).transpose()?,
        artifact_type: wire.artifact_type.filter(|t| !t.is_empty()),
        annotations: wire.annotations.unwrap_or_default(),
    })
}

fn image(kind: Kind, wire: Wire) -> Result<Manifest, ManifestError> {
    let config = wire.config.ok_or(ManifestError::Lacks("config"))?;
    let layers = wire.layers.ok_or(ManifestError::Lacks("layers"))?;
    let own = wire.artifact_type.filter(|t| !t.is_empty());
    let artifact_type = own.or_else(|| Some(config.media_type.clone()).filter(|t| !t.is_empty()));
    let (mut blobs, mut foreign) = (Vec::new(), Vec::new());
    for descriptor in std::iter::once(&config).chain(&layers) {
        let digest = parse_digest(&descriptor.digest)?;
        if descriptor.urls.as_ref().is_some_and(|urls| !urls.is_empty()) {
            foreign.push(digest);
        } else {
            blobs.push(Content { digest, size: descriptor.size });
        }
    }
    Ok(Manifest {
        kind,
        blobs,
        foreign,
        children: Vec::new(),
        subject: wire.subject.map(|s| parse_digest(&s.digest)).transpose()?,
        artifact_type,
        annotations: wire.annotations.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn image_text(extra: &str) -> String {
        let (a, b) = (hex('a'), hex('b'));
        format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"x/y","digest":"{a}","size":2}},
            "layers":[{{"mediaType":"l","digest":"{b}","size":3}}]{extra}}}"#
        )
    }

    #[test]
    fn an_image_names_config_and_layers() {
        let manifest = Manifest::parse(image_text("").as_bytes(), Some(Kind::Image.media_type())).unwrap();
        assert_eq!(manifest.blobs.iter().map(|b| b.size).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((manifest.artifact_type.as_deref(), manifest.subject), (Some("x/y"), None));
    }

    #[test]
    fn an_artifact_says_what_it_is_and_of_what() {
        let subject = format!(r#","artifactType":"a/b","subject":{{"digest":"{}","size":1}}"#, hex('c'));
        let manifest = Manifest::parse(image_text(&subject).as_bytes(), None).unwrap();
        assert_eq!(manifest.artifact_type.as_deref(), Some("a/b"));
        assert_eq!(manifest.subject, Some(parse_digest(&hex('c')).unwrap()));
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_its_reason() {
        let bad =
            |text: &str, sent: Option<&str>| Manifest::parse(text.as_bytes(), sent).unwrap_err().to_string();
        let index = Kind::Index.media_type();
        assert!(bad("blah", None).contains("not a manifest"));
        assert!(bad(&image_text(""), Some("application/json")).contains("application/json"));
        assert!(bad(&image_text(r#","mediaType":"q""#), Some(index)).contains("but its mediaType is `q`"));
        assert!(bad(&image_text(r#","manifests":[]"#), None).contains("of an image and of an index"));
        assert!(bad(&image_text(""), Some(index)).contains("lacks `manifests`"));
        assert!(bad(r#"{"schemaVersion":2}"#, None).contains("lacks `config`"));
        assert!(bad(&image_text("").replace(":2,\"c", ":1,\"c"), None).contains("schemaVersion"));
        assert!(bad(&image_text("").replace("sha256:a", "sha512:a"), None).contains("no digest"));
        assert!(bad(&" ".repeat(LARGEST + 1), None).contains("larger"));
        assert!(bad(&"[".repeat(100_000), None).contains("not a manifest"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..300usize) {
            let _ = Manifest::parse(&bytes, None);
            let text = image_text("");
            let _ = Manifest::parse(&text.as_bytes()[..cut.min(text.len())], None);
        }
    }
}

//! May this plan be carried out, here and now? Signature, host, age, image: checked before a byte is fetched.

use anyhow::{Context as _, bail};
use cairn_contract::wipe::WipeHow;
use cairn_contract::{
    Digest, ImageManifest, Plan, Sealed, SessionKey, Signed, SiteTrust, Timestamp, WipePlan,
};
use cairn_machine::clock;
use ed25519_dalek::VerifyingKey;

use crate::report;
use crate::wipe::WipeOrder;

/// A plan that holds, with its image.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) plan: Plan,
    pub(crate) image: ImageManifest,
}

/// Opens and checks a plan. Once it is known to be the site's and for this machine, a refusal can be reported.
pub(crate) fn accept(
    site: &SiteTrust,
    sealed: &Sealed<Signed<Plan>>,
    key: &SessionKey,
    ak: Option<Digest>,
) -> anyhow::Result<Order> {
    let signed = sealed.open(key, "plan").context("the plan is not for this proof")?;
    let site_key = site_key(site)?;
    let plan = authentic(&site_key, &signed, ak)?;
    report::ordered(plan.install);
    current(&site_key, plan, clock::now_at_least(site.not_before))
}

/// The same for a plan to wipe.
pub(crate) fn accept_wipe(
    site: &SiteTrust,
    sealed: &Sealed<Signed<WipePlan>>,
    key: &SessionKey,
    ak: Option<Digest>,
) -> anyhow::Result<WipeOrder> {
    let signed = sealed.open(key, "wipe plan").context("the plan is not for this proof")?;
    let plan = signed.verify(&site_key(site)?).context("the plan is not signed by this site")?;
    if ak != Some(plan.ak_name) {
        bail!("the plan is for another machine");
    }
    report::ordered(plan.wipe);
    if clock::now_at_least(site.not_before) >= plan.expires {
        bail!("the plan has expired");
    }
    match plan.how {
        WipeHow::Zeros => Ok(WipeOrder { plan, signed }),
    }
}

fn site_key(site: &SiteTrust) -> anyhow::Result<VerifyingKey> {
    let bytes = site.signing_key.0.as_slice().try_into().context("the site's key is not 32 bytes")?;
    VerifyingKey::from_bytes(bytes).context("the site's key is no ed25519 key")
}

fn authentic(site: &VerifyingKey, signed: &Signed<Plan>, ak: Option<Digest>) -> anyhow::Result<Plan> {
    let plan = signed.verify(site).context("the plan is not signed by this site")?;
    if ak != Some(plan.ak_name) {
        bail!("the plan is for another machine");
    }
    Ok(plan)
}

fn current(site: &VerifyingKey, plan: Plan, now: Timestamp) -> anyhow::Result<Order> {
    if now >= plan.expires {
        bail!("the plan has expired");
    }
    let image = plan.image.verify(site).context("the image is not signed by this site")?;
    image.check(now, plan.minimum_version)?;
    Ok(Order { plan, image })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_contract::{DiskSelector, Hex, HostFile, HostId, InstallId, PartitionImage, Role};
    use ed25519_dalek::SigningKey;
    use uuid::Uuid;

    const AK: Digest = Digest([5; 32]);

    fn site(key: &SigningKey) -> SiteTrust {
        SiteTrust {
            site: "test".into(),
            server: ([127, 0, 0, 1], 443).into(),
            plain_http: None,
            ca: Hex::default(),
            signing_key: Hex(key.verifying_key().to_bytes().to_vec()),
            not_before: Timestamp(0),
        }
    }

    fn image(key: &SigningKey) -> Signed<ImageManifest> {
        let part = |role| PartitionImage { role, size: 1 << 20, frames: vec![] };
        let image = ImageManifest {
            name: "tiny".into(),
            version: 7,
            os_version: "1".into(),
            created: Timestamp(0),
            expires: Timestamp(1000),
            blob: AK,
            blob_size: 0,
            partitions: [Role::Esp, Role::RootA, Role::RootB, Role::Data].map(part).to_vec(),
        };
        Signed::sign(key, &image).unwrap()
    }

    fn plan(key: &SigningKey, image: Signed<ImageManifest>, minimum: u64) -> Signed<Plan> {
        let install = InstallId(Uuid::nil());
        let plan = Plan {
            install,
            ak_name: AK,
            expires: Timestamp(500),
            image,
            minimum_version: minimum,
            disk: DiskSelector::default(),
            host_file: HostFile {
                host: HostId(Uuid::nil()),
                host_name: "a".into(),
                install,
                image: "tiny".into(),
                image_version: 7,
            },
        };
        Signed::sign(key, &plan).unwrap()
    }

    #[track_caller]
    fn refused(result: anyhow::Result<Order>, why: &str) {
        let text = format!("{:#}", result.map(|o| o.plan.install).unwrap_err());
        assert!(text.contains(why), "{text}");
    }

    #[test]
    fn only_this_site_s_plan_for_this_machine_in_its_time_is_accepted() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let site = site(&key);
        let good = plan(&key, image(&key), 7);
        let site_key = site_key(&site).unwrap();
        let at = |plan: &Signed<Plan>, ak, now| {
            authentic(&site_key, plan, ak).and_then(|plan| current(&site_key, plan, Timestamp(now)))
        };
        assert_eq!(at(&good, Some(AK), 499).unwrap().image.version, 7);
        refused(at(&good, Some(AK), 500), "the plan has expired");
        refused(at(&good, Some(Digest([6; 32])), 0), "another machine");
        refused(at(&good, None, 0), "another machine");
        refused(at(&plan(&other, image(&key), 7), Some(AK), 0), "the plan is not signed by this site");
        refused(at(&plan(&key, image(&other), 7), Some(AK), 0), "the image is not signed by this site");
        refused(at(&plan(&key, image(&key), 8), Some(AK), 0), "older than the minimum 8");
    }
}

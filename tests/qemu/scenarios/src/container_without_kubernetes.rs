//! A host without Kubernetes runs a container of a package: deployed by a label while the host does not exist yet, reached over
//! the network, taken away and brought back by a change of a label, kept while the provisioner is gone.

use anyhow::Result;
use cairn_lab::Stage;

use crate::{edge, story::Story};

const PACKAGE: &str = "
apiVersion: cairn/v1
kind: Package
metadata: {name: hello-1-0-0}
spec:
  package: hello
  version: 1.0.0
  applications:
    - name: web
      source:
        container:
          image: '${cairn.registry}/default.default/hello:1'
          ports: [{host: 8080, container: 8080}]
---
apiVersion: cairn/v1
kind: Deployment
metadata: {name: hello}
spec:
  package: hello
  targets: {kind: host, selector: {matchLabels: {role: till}}}
";

pub(crate) fn tell(story: &Story) -> Result<()> {
    let mut play = edge::open(story)?;
    edge::push_hello(&play)?;
    edge::apply(&play, "hello.yaml", PACKAGE)?;
    let machine = edge::register(&play, "till-1", "role=till")?;
    let guest = machine.start(story.net())?;
    edge::running(&play, "till-1", &guest)?;
    edge::answers(&play, "till-1", 8080, &guest)?;
    play.wait(edge::WORKLOAD, &guest, "till-1", || {
        let hello = play.site.json(&["get", "deployment", "hello"])?;
        Ok((hello["status"]["targets"]["ready"] == 1).then_some(()))
    })?;
    story.mark("the deployment is ready");

    play.site.call(&["label", "host", "till-1", "role=spare", "--overwrite"])?;
    edge::silent(&play, "till-1", 8080, &guest)?;
    play.site.call(&["label", "host", "till-1", "role=till", "--overwrite"])?;
    edge::answers(&play, "till-1", 8080, &guest)?;

    play.site.stop();
    story.mark("the provisioner is gone");
    edge::answers(&play, "till-1", 8080, &guest)?;
    story.mark("it runs without the provisioner");
    play.site.restart()?;
    play.wait_state("till-1", "running", Stage::FIRST_BOOT, &guest)?;
    Ok(())
}

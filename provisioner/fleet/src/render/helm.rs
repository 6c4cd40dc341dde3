//! Charts, by the real `helm template`. Objects of hooks are objects like the others (tests are left out): nothing here installs,
//! so there is no moment before or after which they could run.

use cairn_domain::model::Chart;
use serde_json::Value;

use super::{Fault, Renderer, documents, objects, tool::Run, tree, tree::Tree};

/// Name of the file of values, beside the chart.
const VALUES: &str = "cairn-values.yaml";

/// What a chart is rendered for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) release: &'a str,
    pub(super) namespace: &'a str,
    pub(super) kubernetes: &'a str,
}

pub(super) async fn render(
    renderer: &Renderer,
    chart: &Chart,
    target: Target<'_>,
) -> Result<Vec<Value>, Fault> {
    let program = renderer.tools.helm().ok_or_else(|| {
        Fault::new(
            "HelmAbsent",
            "this appliance has no helm, by which charts are rendered: put the program helm (3.8 or newer) into /usr/local/bin, or \
             name it as `helm` under [tools] in cairn.toml",
        )
    })?;
    let mut tree = tree::gather_as_is(&chart.files, renderer.packages.as_ref()).await?;
    let folder = chart_folder(&tree)?;
    tree.files.insert(VALUES.to_owned(), chart.values.clone().into_bytes());
    let args = arguments(&folder, target);
    let run = Run { program, args, files: &tree.files, folder: String::new(), failed: "HelmFailed" };
    objects::checked(documents::read("the chart", &run.output().await?)?)
}

fn arguments(folder: &str, target: Target<'_>) -> Vec<String> {
    let Target { release, namespace, kubernetes } = target;
    let mut args = vec!["template".to_owned()];
    args.extend([format!("--namespace={namespace}"), format!("--values={VALUES}")]);
    args.extend(["--include-crds".to_owned(), "--skip-tests".to_owned()]);
    if !kubernetes.is_empty() {
        args.push(format!("--kube-version={kubernetes}"));
    }
    // Behind this nothing is an option, whatever it is called.
    args.extend(["--".to_owned(), release.to_owned(), format!("./{folder}")]);
    args
}

/// Where `Chart.yaml` is: in the folder that is named, at the top, or in the one folder at the top, as `helm package` packs.
fn chart_folder(tree: &Tree) -> Result<String, Fault> {
    let has = |folder: &str| {
        let name = if folder.is_empty() { "Chart.yaml".to_owned() } else { format!("{folder}/Chart.yaml") };
        tree.files.contains_key(&name)
    };
    if has(&tree.folder) {
        return Ok(tree.folder.clone());
    }
    let tops: std::collections::BTreeSet<&str> =
        tree.files.keys().filter_map(|name| name.split_once('/').map(|(top, _)| top)).collect();
    match tops.first() {
        Some(top) if tree.folder.is_empty() && tops.len() == 1 && has(top) => Ok((*top).to_owned()),
        _ => {
            Err(Fault::new("ChartInvalid", "there is no Chart.yaml in it; name the chart's folder in `path`"))
        }
    }
}

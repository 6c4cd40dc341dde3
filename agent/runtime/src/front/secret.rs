//! Values of secrets in the places of their placeholders.

use cairn_contract::workload::Secrets;

/// A value that is put in is not looked through again.
pub(super) fn place(text: &str, secrets: &Secrets) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let found = secrets
            .values
            .iter()
            .filter_map(|(holder, value)| Some((rest.find(holder.as_str())?, holder, value)));
        let Some((at, holder, value)) = found.filter(|(_, h, _)| !h.is_empty()).min_by_key(|(at, ..)| *at)
        else {
            out.push_str(rest);
            return out;
        };
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        out.push_str(value);
        rest = after.get(holder.len()..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_placeholder_gets_its_value_once() {
        let values = BTreeMap::from([("AA".to_owned(), "BB".to_owned()), ("BB".to_owned(), "x".to_owned())]);
        let secrets = Secrets { values };
        assert_eq!(place("1 AA 2 BB 3 AA", &secrets), "1 BB 2 x 3 BB");
        assert_eq!(place("none", &secrets), "none");
    }
}

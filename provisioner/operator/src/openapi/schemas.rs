//! Schemas of what is taken and of what is given: the same type may have two, since what has a default may be left out
//! only when it is sent.

use schemars::{
    SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value};

use crate::route::Describe;

const PATH: &str = "/components/schemas";
/// What stands behind the names of schemas that are only sent.
const TAKEN: &str = "Input";

/// Two generators, and what they made.
#[derive(Debug)]
pub(crate) struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        Self { taken: generator(Contract::Deserialize), given: generator(Contract::Serialize) }
    }

    /// Of a request's body.
    pub(crate) fn taken(&mut self, describe: &Describe) -> Value {
        let mut schema = describe(&mut self.taken).to_value();
        rename(&mut schema);
        schema
    }

    /// Of an answer's body.
    pub(crate) fn given(&mut self, describe: &Describe) -> Value {
        describe(&mut self.given).to_value()
    }

    /// All that were referred to.
    pub(crate) fn finish(mut self) -> Map<String, Value> {
        let mut all: Map<String, Value> = self.given.take_definitions(true).into_iter().collect();
        for (name, mut schema) in self.taken.take_definitions(true) {
            rename(&mut schema);
            all.insert(format!("{name}{TAKEN}"), schema);
        }
        all
    }
}

/// Properties of a query, each as a schema of its own; and which of them must be given.
pub(crate) fn properties(describe: &Describe) -> Vec<(String, Value, bool)> {
    let settings = |s: &mut SchemaSettings| {
        s.inline_subschemas = true;
        s.meta_schema = None;
        s.contract = Contract::Deserialize;
    };
    let mut generator = SchemaSettings::draft2020_12().with(settings).into_generator();
    let schema = describe(&mut generator).to_value();
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let all = schema["properties"].as_object().into_iter().flatten();
    all.map(|(name, schema)| (name.clone(), present(schema.clone()), required.contains(&name.as_str())))
        .collect()
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = |s: &mut SchemaSettings| {
        s.definitions_path = PATH.into();
        s.meta_schema = None;
        s.contract = contract;
    };
    SchemaSettings::draft2020_12().with(settings).into_generator()
}

/// A parameter is there or not; it is never null.
fn present(mut schema: Value) -> Value {
    let Some(map) = schema.as_object_mut() else { return schema };
    map.remove("default");
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    schema
}

fn rename(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(to) if key == "$ref" && to.starts_with('#') => to.push_str(TAKEN),
                    value => rename(value),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(rename),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
